"""Every registered affinity, by the formula of its paper and by the contract."""

import pytest
import torch
from tables import (
    AFFINITY_CONFIGS,
    POOLED_CONFIGS,
    affinity_config,
    build_affinity,
    label,
)

from nonlocal_zoo import formulas
from nonlocal_zoo.functions import exact_spectrum
from nonlocal_zoo.kernels import scores_at_once
from nonlocal_zoo.registry import AFFINITIES
from nonlocal_zoo.signal import GraphSignal
from nonlocal_zoo.testing import AFFINITY_CHECKS, as_cloud, assert_near, randomize_, refuses

GRID = (4, 3)
every_form = pytest.mark.parametrize("config", AFFINITY_CONFIGS, ids=label)
every_pool = pytest.mark.parametrize("config", POOLED_CONFIGS, ids=label)


def make(config):
    return randomize_(build_affinity(config).double())


def features(nodes=12):
    return torch.randn(2, nodes, 6, dtype=torch.float64)


def as_image(nodes, grid):
    return nodes.mT.unflatten(2, grid)


def positions_outermost(matrix, positions):
    """Pairs (channel, position) in our order: published code has channels outermost."""
    order = torch.arange(matrix.shape[1]).reshape(-1, positions).T.flatten()
    return matrix[:, order][:, :, order]


def compare(affinity, config, signal, training):
    """Matrix, products with it and its transpose, degree, and gradients."""
    x, receiver = signal.x.requires_grad_(), signal.receivers.requires_grad_()
    buffers = {name: buffer.clone() for name, buffer in affinity.named_buffers()}
    operator = affinity.train(training)(signal)
    state = dict(affinity.named_parameters()) | buffers
    images = as_image(x, signal.grid), as_image(receiver, signal.grid)
    graph = formulas.affinity(config, state, formulas.Features(*images, training))
    matrix = graph.matrix()
    if graph.fold:  # features of the positions, as wide as the affinity wants them
        rhs = torch.randn(2, x.shape[1], affinity.width or x.shape[2], dtype=torch.float64)
        back = torch.randn_like(rhs)
    else:
        rhs = torch.randn(2, matrix.shape[2], 5, dtype=torch.float64)
        back = torch.randn(2, matrix.shape[1], 5, dtype=torch.float64)
    rhs.requires_grad_()
    ours, theirs = operator.matmul(rhs), product(graph, rhs, signal.grid)
    assert_near(ours, theirs, what="matmul")
    transposed = product(graph.of(matrix.mT), back, signal.grid)
    assert_near(operator.transpose().matmul(back), transposed, what="transposed matmul")
    if config["type"] == "compact":
        matrix = positions_outermost(matrix, x.shape[1])
    assert_near(operator.to_dense(), matrix, what="matrix")
    assert_near(operator.degree(), matrix.sum(2, keepdim=True), what="degree")
    leaves = {"x": x, "receiver": receiver, "rhs": rhs, **dict(affinity.named_parameters())}
    ours, theirs = (
        torch.autograd.grad((y * back).sum(), leaves.values(), allow_unused=True)
        for y in (ours, theirs)
    )
    for name, a, b in zip(leaves, ours, theirs, strict=True):
        if name not in ("x", "receiver"):
            assert a is not None, f"{name} gets no gradient"
        if b is not None:
            assert_near(a, b, 1e-8, f"gradient of {name}")


def product(graph, rhs, grid):
    """A rhs on (B, N, C). Pooled keys and a single row are nodes without a grid."""
    if isinstance(graph.form, torch.Tensor) and not graph.fold:
        return graph.form @ rhs
    return graph(as_image(rhs, grid)).flatten(2).mT


@every_form
@pytest.mark.parametrize("training", [False, True])
def test_formula(config, training):
    compare(make(config), config, GraphSignal(features(), GRID), training)


@every_form
def test_many_nodes_are_streamed(config):
    """The other tests have so few nodes that the naive formulas run; here they run in blocks."""
    with scores_at_once(40):
        compare(make(config), config, GraphSignal(features(), GRID), training=True)
        for check in AFFINITY_CHECKS:
            check(make(config).eval(), features(8))


@every_form
def test_what_is_promised_is_known(config):
    """What an affinity says of all its operators is what each operator says of itself."""
    affinity = make(config).eval()
    for signal in (GraphSignal(features(), GRID), GraphSignal(features(60), (6, 10))):
        operator, promised = affinity(signal), affinity.structure
        for flag in ("square", "symmetric", "nonnegative", "bounded"):
            assert getattr(operator, flag) or not getattr(promised, flag), flag
        if promised.low_rank and promised.symmetric:
            assert exact_spectrum(operator) is not None


@every_form
def test_receivers_of_their_own(config):
    signal = GraphSignal(features(), GRID, receiver=features())  # AFNB, for the pyramid
    compare(make(config), config, signal, training=False)


@every_pool
@pytest.mark.parametrize("grid", [(12,), (4, 3), (5, 5), (3, 2, 5)], ids=str)
def test_pooled_keys(config, grid):
    nodes = torch.Size(grid).numel()
    compare(make(config), config, GraphSignal(features(nodes), grid), training=False)


@every_form
@pytest.mark.parametrize("check", AFFINITY_CHECKS, ids=lambda check: check.__name__)
def test_contract(config, check):
    check(make(config).eval(), features(8))


@pytest.mark.parametrize("name", AFFINITIES.names())
def test_a_graph_without_nodes(name):
    """One graph of the batch is padding alone: zero rows, finite gradients."""
    affinity, x = make(affinity_config(name)).eval(), features(4).requires_grad_()
    signal = as_cloud(x, mask=torch.tensor([[True] * 4, [False] * 4]))
    if affinity.uses_grid:
        refuses(ValueError, lambda: affinity(signal), "needs the nodes of an image")
        return
    operator = affinity(signal)
    y = operator.matmul(signal.zero_padding(x)[..., : affinity.width])
    assert y.isfinite().all() and (y[1] == 0).all()
    y.square().sum().backward()
    for tensor in (x, *affinity.parameters()):
        assert tensor.grad.isfinite().all()


@pytest.mark.parametrize("name", AFFINITIES.names())
def test_it_can_be_tabled(name):
    entry = AFFINITIES.get(name)
    assert entry.formula and "Args:" in entry.__doc__
