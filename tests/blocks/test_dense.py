"""Whole blocks against the dense formula: every row, every pair, every kind of fusion."""

import itertools

import pytest
import torch
from tables import (
    BLOCK_OVERRIDES,
    MATRIX_FUNCTIONS,
    affinity_config,
    block_settings,
    label,
    pair_settings,
    poolable,
    why_illegal,
)

from nonlocal_zoo import build_block, formulas, list_blocks
from nonlocal_zoo.kernels import scores_at_once
from nonlocal_zoo.registry import AFFINITIES, FILTERS
from nonlocal_zoo.testing import (
    assert_near,
    largest_allocation,
    randomize_,
    refuses,
)


def compare(block, settings, x, training, tolerance=1e-8):
    """Output and gradients of input and of every parameter, and the running statistics."""
    randomize_(block.double()).train(training)
    state = {k: v.clone() for k, v in block.named_buffers()} | dict(block.named_parameters())
    leaves = {"x": x.requires_grad_(), **dict(block.named_parameters())}
    ours = block(x)
    theirs = formulas.block(settings, state, x, training)
    assert_near(ours, theirs, what="output")
    weight = torch.randn_like(x)
    gradients = [
        torch.autograd.grad((y * weight).sum(), leaves.values(), allow_unused=True)
        for y in (ours, theirs)
    ]
    for name, a, b in zip(leaves, *gradients, strict=True):
        assert a is not None and b is not None, f"{name} gets no gradient"
        assert_near(a, b, tolerance, f"gradient of {name}")


def image(*shape):
    return torch.randn(2, 8, *(shape or (4, 3)), dtype=torch.float64)


@pytest.mark.parametrize("name", list_blocks())
@pytest.mark.parametrize("training", [False, True])
def test_row(name, training):
    block = build_block(name, 8, inner_channels=4, **BLOCK_OVERRIDES.get(name, {}))
    compare(block, block_settings(name), image(), training)


@pytest.mark.parametrize("name", list_blocks())
@pytest.mark.parametrize("shape", [(7,), (2, 3, 2)], ids=str)
def test_row_on_other_grids(name, shape):
    block = build_block(name, 8, inner_channels=4, **BLOCK_OVERRIDES.get(name, {}))
    if name == "cc" and len(shape) == 3:
        refuses(ValueError, lambda: block(image(*shape).float()), "(H, W) or (W,)")
        return
    compare(block, block_settings(name), image(*shape), training=True)


@pytest.mark.parametrize("name", list_blocks())
@pytest.mark.parametrize("training", [False, True])
def test_row_in_blocks(name, training):
    """As over an image so large that scores are made a block of nodes at a time."""
    block = build_block(name, 8, inner_channels=4, **BLOCK_OVERRIDES.get(name, {}))
    with scores_at_once(40):
        compare(block, block_settings(name), image(7, 4), training)


def test_weights_of_rows_and_columns_are_made_in_blocks():
    block, nodes = randomize_(build_block("cc", 16)).train(), 32 * 32
    x = torch.randn(1, 16, 32, 32, requires_grad=True)
    whole = nodes * 32  # of the rows; the columns have as many
    assert largest_allocation(lambda: block(x).sum().backward()) >= whole
    with scores_at_once(whole // 8):
        assert largest_allocation(lambda: block(x).sum().backward()) < whole


NORMALIZED = [dict(type="relu_dot", symmetrize=True, normalize="sym"), dict(type="latent", dim=5)]
PAIRS = itertools.product([*map(affinity_config, AFFINITIES.names()), *NORMALIZED], FILTERS.names())


@pytest.mark.parametrize(("affinity", "graph_filter"), PAIRS, ids=label)
def test_pair(affinity, graph_filter):
    """The factorial: every legal pair is its dense formula, every other one says why not."""
    settings = pair_settings(affinity, graph_filter)

    def build():
        return build_block(in_channels=8, inner_channels=4, **settings)

    if why := why_illegal(affinity, graph_filter):
        refuses(ValueError, build, why)  # when it is built, whatever the size of the picture
        return
    for training in (False, True):
        compare(
            build(), settings, image(), training, 1e-6 if graph_filter in MATRIX_FUNCTIONS else 1e-8
        )


@pytest.mark.parametrize("affinity", AFFINITIES.names())
def test_without_weights_there_is_nothing_to_widen_with(affinity):
    settings = dict(affinity=affinity_config(affinity), graph_filter="propagation")
    refuses(ValueError, lambda: build_block(in_channels=8, **settings), "values=False")


FUSIONS = [
    dict(norm="batch"),
    dict(norm="group"),
    dict(activation="relu"),
    dict(norm="group", activation="relu", residual_scale=True),
    dict(residual=False),
    dict(residual_scale=True),
    dict(bias=False),
    dict(zero_init=True),
    dict(stages=3, norm="batch", activation="relu"),
    dict(embedding="unit"),
    dict(embedding="unit_pair"),
    dict(embedding="unit_pair", stages=2),
    dict(reduction=4),
    dict(values=False),
    dict(recurrence=2),
    dict(norm="layer"),
    dict(norm=dict(type="group", groups=2)),
    dict(graph_filter=dict(type="adjacency", groups=2)),
    dict(gate="polynomial", norm="batch"),
    dict(affinity=dict(type="latent", dim=3, groups=2), embedding="unit_pair"),
    dict(affinity=dict(type="latent", dim=3, groups=2, shared=True)),
    dict(affinity=dict(type="compact", order=3, groups=2)),
    dict(affinity=dict(type="pyramid", sizes=(1, 2))),
    dict(affinity=["gaussian", "relu_dot"], graph_filter="polynomial"),
    dict(
        affinity=["dot_product", "concatenation"],
        graph_filter=["adjacency", dict(type="chebyshev", order=2)],
        stages=2,
    ),
]


@pytest.mark.parametrize("settings", FUSIONS, ids=label)
@pytest.mark.parametrize("training", [False, True])
def test_fusion(settings, training):
    compare(build_block(in_channels=8, **settings), settings, image(), training)


@pytest.mark.parametrize("name", [name for name in AFFINITIES.names() if poolable(name)])
@pytest.mark.parametrize("shape", [(6,), (4, 5), (2, 3, 4)], ids=str)
def test_subsample(name, shape):
    settings = dict(affinity=affinity_config(name), subsample=True, norm="batch")
    compare(build_block(in_channels=8, **settings), settings, image(*shape), training=True)
    settings = dict(affinity=affinity_config(name), subsample=True, graph_filter="graph_conv")
    compare(build_block(in_channels=8, **settings), settings, image(*shape), training=True)


def test_running_statistics():
    """Momentum 0.1, with the unbiased variance, as nn.BatchNorm2d on the image."""
    block = build_block(affinity="gaussian", norm="batch", in_channels=8).double()
    seen = []
    block.units[0].norm.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    block.train()(image())
    norm, values = block.units[0].norm, seen[0]
    assert values.shape[0] == 24
    assert_near(norm.running_mean, 0.1 * values.mean(0))
    assert_near(norm.running_var, 0.9 + 0.1 * values.var(0, unbiased=True))


@pytest.mark.parametrize("training", [False, True])
def test_linear_and_other_filters_share_one_norm(training):
    settings = {
        "affinity": [dict(type="relu_dot"), dict(type="embedded_gaussian")],
        "graph_filter": ["adjacency", "propagation"],
        "values": False,
        "norm": "batch",
    }
    compare(build_block(in_channels=8, inner_channels=4, **settings), settings, image(), training)


def test_one_row_for_all_beside_a_row_for_each():
    """As in DNL, where what all nodes hear is added to what each one hears."""
    pair = dict(affinity=["relu_dot", "global_pooling"], graph_filter=["adjacency", "laplacian"])
    with pytest.raises(ValueError, match="square"):  # the Laplacian of one row
        build_block(in_channels=8, **pair)
    pair["graph_filter"] = ["adjacency", "adjacency"]
    block = randomize_(build_block(in_channels=8, **pair).double()).eval()
    x = torch.randn(2, 8, 3, 4).double()
    nodes, unit = x.flatten(2).mT, block.units[0]
    z = nodes @ unit.values.weight.T + unit.values.bias
    expected = nodes
    for operator, graph_filter in zip(block.operators(x), unit.filters, strict=True):
        (weight,) = graph_filter.weights
        expected = expected + operator.to_dense() @ z @ weight.weight.T + weight.bias
    assert_near(block(x), expected.mT.reshape(x.shape))
