"""Maps, eigenvalues and numbers of blocks, against dense matrices and known answers."""

import math

import numpy as np
import pytest
import torch
from tables import BLOCK_OVERRIDES

from nonlocal_zoo import build_block, list_blocks
from nonlocal_zoo.operators import (
    ChannelNodes,
    Dense,
    Diagonal,
    GroupChannels,
    GroupNodes,
    Identity,
    LowRank,
    Product,
    Softmax,
)

pytest.importorskip("scipy")
pytest.importorskip("mmseg")
from nonlocal_zoo.experiments.visualize.analysis import analyse
from nonlocal_zoo.experiments.visualize.command import positions, to_numbers
from nonlocal_zoo.experiments.visualize.eigenvalues import ARNOLDI, eigenvalues, singular_values
from nonlocal_zoo.experiments.visualize.maps import affinity_maps
from nonlocal_zoo.experiments.visualize.network import Captured
from nonlocal_zoo.experiments.visualize.numbers import cosine_distance, effective_rank
from nonlocal_zoo.testing import assert_near, assert_no_square, randomize_

pytestmark = pytest.mark.mm
GRID = (8, 10)
NODES = 80


def randn(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def identity(n=50):
    return Identity(1, n, torch.float64, torch.device("cpu"))


def permutation(n=50):
    return Dense(torch.eye(n).double()[torch.randperm(n)].unsqueeze(0))


def equal_rows(n=50):
    return LowRank(torch.ones(1, n, 1).double(), torch.rand(1, n, 1).double())


def rank(operator):
    return effective_rank(singular_values(operator))


def test_known_effective_ranks():
    assert math.isclose(rank(identity()), 50, rel_tol=1e-9)
    assert math.isclose(rank(permutation()), 50, rel_tol=1e-9)
    assert math.isclose(rank(equal_rows()), 1, rel_tol=1e-6)
    assert rank(Diagonal(torch.zeros(1, 5, 1))) == 0
    halves = torch.tensor([3.0, -3.0, 0.0, 0.0]).double().reshape(1, 4, 1)
    assert math.isclose(rank(Diagonal(halves)), 2, rel_tol=1e-9)


@pytest.mark.parametrize("columns", [40, 60, 90])
def test_effective_rank_is_that_of_the_singular_values(columns):
    matrix = randn(2, 60, columns) @ torch.diag(0.9 ** torch.arange(columns).double())
    s = torch.linalg.svdvals(matrix)
    p = s / s.sum(1, keepdim=True)
    expected = (-p * p.log()).sum(1).exp().mean()
    assert math.isclose(rank(Dense(matrix)), expected, rel_tol=0.03)
    thin = LowRank(matrix[..., :9].contiguous(), randn(2, 70, 9))
    s = torch.linalg.svdvals(thin.to_dense())[:, :9]
    p = s / s.sum(1, keepdim=True)
    assert math.isclose(rank(thin), (-p * p.log()).sum(1).exp().mean(), rel_tol=1e-4)


def test_known_distances():
    assert cosine_distance(equal_rows().rows(range(50))) < 1e-12
    assert math.isclose(cosine_distance(permutation().rows(range(50))), 1, rel_tol=1e-9)
    opposite = torch.tensor([[[1.0, 0.0], [-2.0, 0.0]]])
    assert math.isclose(cosine_distance(opposite), 2, rel_tol=1e-9)
    vectors = randn(2, 6, 4)
    cosines = [
        torch.cosine_similarity(v[i], v[j], dim=0)
        for v in vectors for i in range(6) for j in range(6) if i != j
    ]  # fmt: skip
    assert math.isclose(cosine_distance(vectors), 1 - sum(cosines) / len(cosines), rel_tol=1e-9)
    assert cosine_distance(vectors[:, :1]) == 0


def same_values(found, matrix):
    """Eigenvalues with their counts against all of the dense matrix: by sums of powers."""
    exact = torch.linalg.eigvals(matrix).flatten()
    for power in (1, 2, 3):
        ours = (found.counts * found.values.to(exact) ** power).sum()
        assert torch.isclose(ours, (exact**power).sum(), rtol=1e-6, atol=1e-9)
    assert math.isclose(float(found.counts.sum()), exact.numel(), rel_tol=1e-6)


@pytest.mark.parametrize(
    "operator",
    [
        LowRank(randn(1, 30, 4), randn(1, 30, 3), randn(1, 4, 3)),
        LowRank(randn(1, 5, 9), randn(1, 5, 9)),
        LowRank(randn(1, 30, 4), randn(1, 30, 4)).symmetrize(),
        Dense(randn(2, 20, 20)),
        ChannelNodes(Dense(randn(1, 12, 12))),
        Softmax.exponential(*[randn(1, 24, 3)] * 2).normalize("sym"),
    ],
    ids=["low rank", "wide", "symmetric", "small", "channels", "gaussian"],
)
def test_eigenvalues_of_small_graphs(operator):
    found = eigenvalues(operator)
    assert found.method in ("all, exact", "all, Lanczos")
    same_values(found, operator.to_dense())


def test_arnoldi():
    operator = Softmax(2 * randn(1, 150, 3), randn(1, 150, 3))
    found = eigenvalues(operator)
    exact = torch.linalg.eigvals(operator.to_dense())[0]
    exact = exact[exact.abs().argsort(descending=True)][:10]
    ours = found.values[found.values.abs().argsort(descending=True)][:10]
    assert "Arnoldi" in found.method and len(found.values) <= ARNOLDI
    assert_near(ours.abs(), exact.abs(), 1e-5)


def test_singular_values_of_what_is_not_square():
    matrix = randn(1, 9, 20)
    found = eigenvalues(Dense(matrix))
    assert found.method == "singular values"
    assert_near(found.values.sort().values, torch.linalg.svdvals(matrix)[0].sort().values, 1e-6)


def test_maps_of_positions():
    matrix = randn(1, NODES, NODES)
    maps, remark = affinity_maps(Dense(matrix), [3, 79], GRID)
    assert remark == "" and torch.equal(maps.reshape(2, NODES), matrix[0, [3, 79]])
    pooled = randn(1, NODES, 20)
    maps, _ = affinity_maps(Dense(pooled), [7], GRID)
    assert torch.equal(maps, pooled[0, [7]].reshape(1, 4, 5))
    maps, why = affinity_maps(Dense(randn(1, NODES, 11)), [7], GRID)
    assert maps is None and "11 keys" in why


def test_maps_of_other_nodes():
    maps, why = affinity_maps(ChannelNodes(Dense(randn(1, 6, 6))), [0], GRID)
    assert maps is None and "channels" in why
    one = randn(1, 1, NODES)
    maps, why = affinity_maps(Dense(one), [0, 50], GRID)
    assert "one row" in why and torch.equal(maps[0], maps[1])
    assert torch.equal(maps[1].flatten(), one[0, 0])
    groups = randn(2, NODES, NODES)
    maps, _ = affinity_maps(GroupChannels(Dense(groups), 2), [5], GRID)
    assert_near(maps.flatten(), groups[:, 5].mean(0))
    pairs = randn(2, 3 * NODES, 3 * NODES)  # two groups of three channels
    maps, _ = affinity_maps(GroupNodes(Dense(pairs), 2), [5], GRID)
    split = pairs.reshape(2, NODES, 3, NODES, 3)[:, 5]
    assert_near(maps.flatten(), split.sum(1).mean((0, 2)))


def maker(name):
    return build_block(name, 16, **{"inner_channels": 8, **BLOCK_OVERRIDES.get(name, {})})


@pytest.mark.parametrize("name", list_blocks())
def test_every_block(name):
    block, x = randomize_(maker(name)), torch.randn(1, 16, *GRID)
    before = {key: value.clone() for key, value in block.state_dict().items()}
    report = analyse(block, x, [0, 45])
    assert len(report.affinities) == len(block.affinities)
    for affinity, filters in zip(report.affinities, block.units[0].filters, strict=True):
        assert (affinity.maps is None) == affinity.remark.startswith("the nodes are channels")
        assert affinity.maps is None or affinity.maps.shape == (2, *GRID)
        found = affinity.eigenvalues
        assert found.values.abs().isfinite().all() and found.counts.sum() > 0
        assert 0 <= affinity.effective_rank <= 640 and 0 <= affinity.row_distance <= 2
        assert len(affinity.responses) == len(block.units) * hasattr(filters, "response")
    numbers = to_numbers(report)
    assert numbers["grid"] == GRID and len(numbers["affinities"]) == len(block.affinities)
    for key, value in block.state_dict().items():
        assert torch.equal(value, before[key]), "the block was changed"


def test_what_gc_asked():
    """Its block adds the same to every position, and one row is all there is."""
    report = analyse(randomize_(maker("gc")), torch.randn(1, 16, *GRID), [0])
    assert report.output_distance < 1e-9 < report.input_distance
    assert report.affinities[0].row_distance == 0
    assert math.isclose(report.affinities[0].effective_rank, 1, rel_tol=1e-6)


def test_response():
    """Of A z W with stages: the norms of lambda W."""
    block = build_block("nl", 6, stages=2).double()
    report = analyse(block, torch.randn(1, 6, 4, 5), [0])
    for unit, response in zip(block.units, report.affinities[0].responses, strict=True):
        weight = unit.filters[0].weights[0].weight.detach()
        size = response.at.abs()
        assert_near(response.largest, size * torch.linalg.matrix_norm(weight, 2))
        mean = (response.at[:, None, None] * weight).square().sum((1, 2)) / weight.shape[1]
        assert_near(response.typical, mean.sqrt())
        assert response.at.min() == -1 and response.at.max() == 1  # a softmax is bounded


def test_no_matrix_is_formed():
    block = build_block("snl", 4, inner_channels=2)
    x = torch.randn(1, 4, 40, 40)
    assert_no_square(lambda: analyse(block, x, [0, 800]), 1600)


def test_pixels_to_positions():
    """Also where the network pads the picture."""
    image = np.zeros((60, 100, 3), dtype=np.uint8)
    captured = Captured(image, {}, extent=(64.0, 128.0))
    assert positions([(0, 0), (99, 59), (16, 0), (0, 8)], captured, (8, 8)) == [0, 62, 1, 8]


def test_product_with_a_pool():
    operator = Product(Dense(randn(1, 20, 4)), Dense(randn(1, 4, 20)))
    same_values(eigenvalues(operator), operator.to_dense())
