"""Eigenvalues through ``matmul`` alone, against LAPACK's of the dense matrix."""

import warnings

import pytest
import torch
from graphs import NODES, SYMMETRIC_ITERATED, near, randn
from tables import AFFINITY_CONFIGS, build_affinity, label

from nonlocal_zoo.functions import density, spectrum
from nonlocal_zoo.functions.lanczos import block_lanczos
from nonlocal_zoo.operators import (
    ChannelNodes,
    Dense,
    GraphOperator,
    LowRank,
    Product,
    Regrouped,
    Sparse,
)
from nonlocal_zoo.signal import GraphSignal
from nonlocal_zoo.testing import as_cloud, randomize_, refuses

SYMMETRIC = [c for c in AFFINITY_CONFIGS if c.get("symmetrize") and c.get("normalize") != "rw"]
every_affinity = pytest.mark.parametrize("config", SYMMETRIC, ids=label)


def largest(matrix, count):
    """Eigenvalues of largest magnitude, rising."""
    values = torch.linalg.eigvalsh(matrix)
    return values.gather(1, values.abs().topk(count).indices).sort().values


def lanczos(matrix, count, tolerance=None, steps=50):
    return block_lanczos(Dense(matrix, symmetric=True), count, tolerance, steps)


def hold(pairs, matrix):
    """Unit, orthogonal eigenvectors, and residuals that are what they say."""
    q, values = pairs.basis, pairs.eigenvalues
    near(q.mT @ q, torch.eye(q.shape[2]).to(q).expand(len(q), -1, -1), 1e-9)
    residual = torch.linalg.vector_norm(matrix @ q - q * values[:, None], dim=1)
    assert ((pairs.residual - residual).abs() <= 1e-12 + 1e-12 * values.abs().max()).all()
    assert residual.max() <= 1e-8 * values.abs().max() + 1e-14


def with_eigenvalues(*values):
    values = torch.tensor(values, dtype=torch.float64)
    q = torch.linalg.qr(randn(2, len(values), len(values)))[0]
    return q @ torch.diag(values) @ q.mT


def affinity_matrix(config, mask=None):
    affinity = randomize_(build_affinity(config).double()).eval()
    x = randn(2, 24, 6)
    operator = affinity(GraphSignal(x, (6, 4)) if mask is None else as_cloud(x, mask=mask))
    return operator.operator if isinstance(operator, Regrouped) else operator


@every_affinity
@pytest.mark.parametrize("count", [1, 4])
def test_every_symmetric_affinity(config, count):
    operator = affinity_matrix(config)
    matrix, count = operator.to_dense(), min(count, operator.shape[1])
    pairs = block_lanczos(operator, count, None, 50)
    # Without signs: a lattice has each eigenvalue with both, and either is the largest.
    near(pairs.eigenvalues.abs().sort().values, largest(matrix, count).abs().sort().values)
    hold(pairs, matrix)


@every_affinity
def test_padded_nodes(config):
    """They are zero rows and columns, and so eigenvectors of the eigenvalue 0."""
    if build_affinity(config).uses_grid:
        pytest.skip("takes no mask")
    mask = torch.arange(24) < torch.tensor([[24], [15]])
    operator = affinity_matrix(config, mask)
    matrix, count = operator.to_dense(), min(4, operator.shape[1])
    pairs = block_lanczos(operator, count, None, 50)
    near(pairs.eigenvalues, largest(matrix, count))
    hold(pairs, matrix)


@pytest.mark.parametrize(
    "values",
    [
        (1.0,),
        (0.0,) * 7,
        (1.0,) * 7,
        (-1.0,) * 3 + (1.0,) * 4,
        (0.9, 0.9, 0.9, 0.5, 0.5) + (0.0,) * 12,  # repeated, and of rank 5
        (0.9, 0.9 - 1e-9, 0.5) + (0.1,) * 20,
        (-0.8, 0.7) + (1e-13,) * 20,  # rounding is no direction to follow
        (1e6, 1e-6, 3.0, -2.0),
    ],
    ids=str,
)
@pytest.mark.parametrize("count", [1, 3, 5, 100])
def test_repeated_zero_and_missing(values, count):
    matrix = with_eigenvalues(*values)
    count = min(count, len(values))
    pairs = lanczos(matrix, count)
    size = largest(matrix, 1).abs().max().clamp(min=1e-3)
    found, exact = (v.abs().sort().values for v in (pairs.eigenvalues, largest(matrix, count)))
    assert (found - exact).abs().max() <= 1e-9 * size  # of +1 and -1 either may come first
    hold(pairs, matrix)


def test_graphs_of_a_batch_are_apart():
    """One has rank 1, another is zero, the third is full: breakdown in one stops no other."""
    full = with_eigenvalues(*[0.95**k for k in range(30)])[:1]
    v = torch.linalg.qr(randn(1, 30, 1))[0]
    matrix = torch.cat([v @ v.mT, torch.zeros(1, 30, 30).double(), full])
    pairs = lanczos(matrix, 3)
    near(pairs.eigenvalues, largest(matrix, 3))
    hold(pairs, matrix)


def test_float32():
    matrix = with_eigenvalues(*[(-0.8) ** k for k in range(40)])
    pairs = lanczos(matrix.float(), 6)
    assert pairs.eigenvalues.dtype == pairs.basis.dtype == torch.float32
    near(pairs.eigenvalues.double(), largest(matrix, 6), 1e-5)
    assert pairs.residual.max() <= 1e-4


def test_half_precision_operator():
    factor = torch.rand(2, 30, 3).bfloat16()
    operator = Product(Dense(factor @ factor.mT), Dense(torch.eye(30).bfloat16().repeat(2, 1, 1)))
    operator.symmetric = True
    pairs = spectrum(operator, 2)
    assert pairs.eigenvalues.dtype == torch.float32
    near(pairs.eigenvalues, largest(operator.to_dense().float(), 2), 2e-2)


@pytest.mark.parametrize("name", SYMMETRIC_ITERATED)
def test_spectrum_iterates_where_nothing_is_exact(name):
    leaves, make = SYMMETRIC_ITERATED[name]
    operator = make(*leaves())
    pairs = spectrum(operator)
    assert not pairs.exact
    near(pairs.eigenvalues, largest(operator.to_dense(), NODES))
    refuses(
        ValueError,
        lambda: spectrum(operator, 3).apply(operator, lambda x: x[..., None], randn(2, NODES, 1)),
        f"3 of {NODES}",
        "exact_spectrum",
    )


def test_of_channels():
    """Nodes of the folded graph."""
    matrix = with_eigenvalues(0.5, 0.4, -0.3)
    assert spectrum(ChannelNodes(Dense(matrix, symmetric=True))).exact
    doubled = (Dense(matrix) + Dense(matrix)).symmetrize()
    near(spectrum(ChannelNodes(doubled), 2).eigenvalues, largest(2 * matrix, 2))
    near(density(ChannelNodes(doubled)).points, torch.linalg.eigvalsh(2 * matrix))


def test_it_says_when_it_did_not_get_there():
    """And the residual bounds the error."""
    matrix = with_eigenvalues(*[1 - 1e-3 * k for k in range(400)])
    with pytest.warns(UserWarning, match=r"3 steps of block Lanczos did not reach"):
        pairs = lanczos(matrix, 2, steps=3)
    assert pairs.residual.min() > 1e-3
    exact = torch.linalg.eigvalsh(matrix)
    away = (pairs.eigenvalues[:, :, None] - exact[:, None]).abs().min(2).values
    assert (away <= pairs.residual + 1e-12).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loose = lanczos(matrix, 2, tolerance=0.1, steps=12)
    assert loose.residual.max() <= 0.1


def test_the_same_again():
    matrix = with_eigenvalues(*[0.9**k for k in range(20)])
    state = torch.get_rng_state()
    first, again = (lanczos(matrix, 3).basis for _ in range(2))
    assert torch.equal(first, again) and torch.equal(state, torch.get_rng_state())


class Counted(GraphOperator):
    """A path of 3000 nodes that can do nothing but be applied."""

    def __init__(self):
        super().__init__((1, 3000, 3000), torch.float64, torch.device("cpu"))
        n = torch.arange(2999)
        edges = torch.stack([0 * n, n, n + 1])
        self.sparse = Sparse(
            torch.cat([edges, edges[[0, 2, 1]]], 1), torch.ones(5998).double(), (1, 3000, 3000)
        )
        self.symmetric, self.columns = True, []

    def _matmul(self, rhs):
        self.columns.append(rhs.shape[2])
        return self.sparse.matmul(rhs)

    def transpose(self):
        raise AssertionError("not needed")

    cost = transpose


def test_it_applies_the_operator_to_few_columns():
    operator = Counted()
    with pytest.warns(UserWarning, match="did not reach"):  # a path's eigenvalues lie close
        pairs = spectrum(operator, 4, steps=20)
    assert sum(operator.columns) == 4 * 21 and max(operator.columns) == 4
    assert (pairs.eigenvalues.abs() <= 2).all()


def test_refusals():
    factor = randn(2, 5, 2)
    plain, rectangular = LowRank(factor, factor + 1), LowRank(factor, factor[:, :3])
    refuses(ValueError, lambda: spectrum(plain), "the spectrum needs a symmetric",
            "symmetrize=True", "LowRank")  # fmt: skip
    refuses(ValueError, lambda: density(rectangular), "needs a square operator")
    gram = LowRank(factor, factor, symmetric=True)
    refuses(ValueError, lambda: spectrum(gram, 0), "count=0", "int >= 1")
    refuses(ValueError, lambda: density(gram, probes=0), "probes=0", "int >= 1")
