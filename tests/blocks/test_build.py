"""Building by name and by parts, and what is refused."""

import inspect

import pytest
from torch import nn

from nonlocal_zoo import build_block, list_blocks
from nonlocal_zoo.blocks import NonLocalBlock
from nonlocal_zoo.blocks.build import _merge
from nonlocal_zoo.registry import BLOCKS
from nonlocal_zoo.testing import refuses


def test_list_blocks():
    assert list_blocks() == BLOCKS.names() and "snl" in list_blocks()
    assert list_blocks("*snl*") == [
        *("snl", "snl_chebyshev", "gsnl", "snl_arma", "snl_cayley", "snl_squared_laplacian")
    ]
    assert set(list_blocks("nl*")) == {"nl", "nl_gaussian", "nl_dot", "nl_sim", "nl_concat"}
    assert list_blocks("nothing*") == []


@pytest.mark.parametrize("name", list_blocks())
def test_rows_are_complete(name):
    row = BLOCKS.get(name)
    assert row.name == name and row.plugin.isidentifier() and row.plugin.endswith("Block")
    assert row.title and row.paper and row.equals
    assert isinstance(build_block(name, 16), NonLocalBlock)
    assert set(row.settings) < set(inspect.signature(NonLocalBlock).parameters)


def test_rows_are_not_changed_by_building():
    before = {name: repr(BLOCKS.get(name)) for name in list_blocks()}
    for name in list_blocks():
        build_block(name, 16, stages=2)
    build_block("snl", 16, affinity=dict(bias=True), graph_filter=dict(order=4))
    build_block("latentgnn_mixture", 16, affinity=dict(kernels=["gaussian"]))
    assert before == {name: repr(BLOCKS.get(name)) for name in list_blocks()}


def test_overrides_merge_into_the_row():
    block = build_block("snl", 16, graph_filter=dict(order=3))
    assert len(block.units[0].filters[0].weights) == 4
    block = build_block("snl", 16, affinity=dict(normalize="rw"))
    assert block.affinities[0].symmetrize and block.affinities[0].normalize == "rw"
    block = build_block("snl", 16, affinity=dict(type="relu_dot", normalize=None))
    assert block.affinities[0].symmetrize and block.affinities[0].normalize is None
    block = build_block("nl", 16, affinity=dict(scale=False))
    assert block.affinities[0].scale == 1 and block.zero_init


def test_another_type_replaces_the_row():
    block = build_block("snl", 16, affinity=dict(type="latent", dim=3))
    assert not block.affinities[0].symmetrize and block.affinities[0].normalize is None
    block = build_block("snl", 16, affinity="gaussian", graph_filter="laplacian")
    assert type(block.affinities[0]).__name__ == "Gaussian"
    assert type(block.units[0].filters[0]).__name__ == "Laplacian"
    assert _merge("gaussian", {"subsample": True}) == {"type": "gaussian", "subsample": True}
    assert _merge([{"type": "gaussian"}], {"type": "latent"}) == {"type": "latent"}
    assert _merge({"type": "gaussian"}, ["latent"]) == ["latent"]


def test_several_affinities():
    kernels = ["gaussian", dict(type="latent", dim=3)]
    block = build_block(in_channels=16, affinity=kernels, graph_filter=dict(type="polynomial"))
    assert len(block.affinities) == len(block.units[0].filters) == 2
    filters = block.units[0].filters
    assert filters[0].weights[0].weight is not filters[1].weights[0].weight
    wrong = dict(in_channels=16, affinity=kernels, graph_filter=["adjacency"] * 3)
    refuses(ValueError, lambda: build_block(**wrong), "3 entries", "2 affinities")


def test_inner_channels():
    assert build_block("snl", 16).units[0].values.out_features == 8
    assert build_block("snl", 16, reduction=4).units[0].values.out_features == 4
    assert build_block("snl", 16, reduction=64).units[0].values.out_features == 1
    assert build_block("snl", 16, inner_channels=5).units[0].values.out_features == 5


@pytest.mark.parametrize("name", [n for n in list_blocks("latentgnn*") if n != "latentgnn_group"])
def test_width_of_unit_embeddings(name):
    """C / 16, but not under 16; a unit vector of one channel would be a sign."""
    for channels, inner in ((3, 3), (8, 8), (16, 16), (64, 16), (256, 16), (512, 32), (1024, 64)):
        assert build_block(name, channels).embedding.send.weight.shape[0] == inner
    assert build_block(name, 64, inner_channels=4).embedding.send.weight.shape[0] == 4
    refuses(ValueError, lambda: build_block(name, 64, inner_channels=3), "inner_channels=3", ">= 4")
    wide = dict(reduction=32, least_inner_channels=2)
    assert build_block(name, 64, **wide).embedding.send.weight.shape[0] == 2
    plain = dict(affinity="latent", embedding="unit", in_channels=16)
    refuses(ValueError, lambda: build_block(reduction=16, **plain), "reduction=16", ">= 4")


@pytest.mark.parametrize(
    ("error", "arguments", "words"),
    [
        (LookupError, dict(name="snll"), ["snll", "'snl'", "latentgnn"]),
        (TypeError, dict(name="snl", in_channels=None), ["snl", "in_channels"]),
        (TypeError, dict(in_channels=None), ["in_channels"]),
        (TypeError, dict(name="snl", stage=2), ["stage", "'stages'"]),
        (TypeError, dict(name="snl", in_channel=2), ["in_channel"]),
        (LookupError, dict(affinity="gausian"), ["affinity", "'gaussian'"]),
        (LookupError, dict(graph_filter="cheb"), ["graph_filter", "'chebyshev'"]),
        (TypeError, dict(affinity=dict(type="latent", dims=3)), ["latent", "dims", "'dim'"]),
        (TypeError, dict(name="snl", affinity=dict(scale=True)), ["relu_dot", "'scale'"]),
        (TypeError, dict(name="snl", graph_filter=dict(orders=3)), ["polynomial", "'order'"]),
        (TypeError, dict(affinity=dict(dim=3)), ["affinity", "type"]),
        (TypeError, dict(affinity="mixture"), ["mixture", "'kernels'"]),
        (LookupError, dict(norm="bn"), ["norm", "'bn'", "batch", "group"]),
        (LookupError, dict(activation="gelu"), ["activation", "relu"]),
        (LookupError, dict(embedding="units"), ["embedding", "unit_pair"]),
        (LookupError, dict(init="zeros"), ["init", "fan_out"]),
        (ValueError, dict(stages=0), ["stages=0", ">= 1"]),
        (ValueError, dict(stages=1.5), ["stages=1.5", ">= 1"]),
        (ValueError, dict(kernels=0), ["kernels=0", ">= 1"]),
        (ValueError, dict(reduction=0), ["reduction=0", ">= 1"]),
        (ValueError, dict(inner_channels=-2), ["inner_channels=-2", ">= 1"]),
        (ValueError, dict(in_channels=0), ["in_channels=0", ">= 1"]),
        (ValueError, dict(zero_init=True, activation="relu"), ["residual_scale=True"]),
        (ValueError, dict(residual=False, residual_scale=True), ["residual=False"]),
        (ValueError, dict(affinity="relu_dot", subsample=True), ["subsample", "gaussian"]),
    ],
    ids=str,
)
def test_refusals(error, arguments, words):
    refuses(error, lambda: build_block(**{"in_channels": 16, **arguments}), *words)


def test_a_block_is_a_plain_module():
    block = build_block("snl", 16)
    assert isinstance(block, nn.Module) and "relu_dot" not in dict(block.named_buffers())
    assert sum(p.numel() for p in block.parameters()) == 5 * 16 * 8 + 2 * 16


def test_kernels_of_one_dim():
    """K kernels of d latent nodes: with matrix weights (Table 2) and with scalars (Eq. 14)."""
    for name, kernels in (("latentgnn", 1), ("latentgnn_3", 3), ("latentgnn", 5)):
        block = build_block(name, 64, kernels=kernels, affinity=dict(dim=7))
        assert [a.send.weight.shape[0] for a in block.affinities] == [7] * kernels
        assert len({id(a.send.weight) for a in block.affinities}) == kernels
        assert len(block.units[0].filters) == kernels
    latent = [dict(type="latent", dim=7)]
    (mixture,) = build_block(
        "latentgnn_mixture", 64, affinity=dict(kernels=latent, copies=5)
    ).affinities
    assert [a.send.weight.shape[0] for a in mixture.kernels] == [7] * 5
    assert mixture.weight.shape == (5,)


def nested(depth):
    kernel = "gaussian"
    for _ in range(depth):
        kernel = dict(type="mixture", kernels=[kernel])
    return kernel


SYMMETRIC = dict(type="relu_dot", symmetrize=True, normalize="sym")
BEYOND = {  # specs that gave NaN or inf without a word, or an error of another layer
    "order": dict(affinity=dict(type="compact", order=171)),
    "time": dict(affinity=SYMMETRIC, graph_filter=dict(type="heat", time=1e30)),
    "temperature": dict(affinity=dict(type="disentangled", temperature=1e-300)),
    "kernels": dict(affinity=nested(400)),
}


@pytest.mark.parametrize(("field", "spec"), BEYOND.items(), ids=BEYOND)
def test_what_no_float_holds_is_refused(field, spec):
    refuses(ValueError, lambda: build_block(in_channels=16, **spec), field, "allowed")


def test_mixtures_in_mixtures():
    """As many as anybody writes are built."""
    assert build_block(in_channels=16, affinity=nested(8)).starts_at_zero is False
    refuses(ValueError, lambda: build_block(in_channels=16, affinity=nested(9)), "8 deep")
