"""The formulas that blocks are measured against are the blocks' own, in all their parts."""

import pytest
import torch
from tables import BLOCK_OVERRIDES

from nonlocal_zoo import formulas
from nonlocal_zoo.experiments.benchmark.cases import MODES, Case
from nonlocal_zoo.experiments.benchmark.check import CHECK_BYTES, check, relative
from nonlocal_zoo.experiments.benchmark.contenders import contenders
from nonlocal_zoo.experiments.benchmark.installed import INSTALLED
from nonlocal_zoo.experiments.benchmark.official import OFFICIAL
from nonlocal_zoo.experiments.benchmark.peers import PEERS, NoPeer, NoSuchPeer
from nonlocal_zoo.registry import AFFINITIES, BLOCKS

GRID = (7, 9)


def case_of(name, **changes):
    overrides = {"reduction": 2, **BLOCK_OVERRIDES.get(name, {})}
    return Case(name, 8, GRID, batch=2, overrides=overrides, dtype="float64", **changes)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", BLOCKS.names())
def test_formula_of_each_block(name, mode):
    """Output and gradients of input and parameters: what ``check`` holds every block to."""
    case = case_of(name, mode=mode)
    verdict = check(case, case.build())
    assert verdict.wrong == "" and verdict.size == "7x9" and verdict.error < 1e-9


def test_every_affinity_has_a_formula():
    assert set(formulas.AFFINITIES) == set(AFFINITIES.names())


@pytest.mark.parametrize(
    "overrides",
    [
        dict(graph_filter="arma"),
        dict(graph_filter="cayley"),
        dict(graph_filter="heat"),
        dict(graph_filter="spectral"),
        dict(affinity=dict(type="latent", dim=3, symmetrize=True, normalize="rw")),
        dict(subsample=True, affinity="dot_product", graph_filter="adjacency"),
    ],
    ids=str,
)
def test_formulas_of_what_no_block_has(overrides):
    """Functions of matrices, maps that are normalised, pooled keys."""
    case = Case("snl", 8, (4, 6), overrides=overrides, mode="train")
    assert check(case, case.build()).wrong == ""


def test_as_many_compiled_blocks_as_there_are():
    """Dynamo compiles a function so many times, and all modules share theirs."""
    with torch._dynamo.config.patch(recompile_limit=1):
        for channels in (4, 6):
            case = Case("danet_channel", channels, (3, 4))
            block, x = case.build(), case.input()
            found = {name: peer for name, peer, _ in contenders(case, block, {}, True, 10**9)}
            assert relative(found["block, compiled"].forward(x), block(x)) < 1e-6


@pytest.mark.parametrize("shape", [(30,), (2, 3, 4)], ids=str)
def test_sequences_and_videos(shape):
    for name in ("snl", "a2", "gc", "latentgnn"):
        case = case_of(name).at(grid=shape)
        assert check(case, case.build()).wrong == ""


@pytest.mark.parametrize("name", BLOCKS.names())
def test_fused_attention(name):
    case = case_of(name)
    block, x = case.build(), case.input()
    try:
        peer = PEERS.get("sdpa")(case, block, {})
    except NoSuchPeer:
        assert "gaussian" not in str(case.settings["affinity"]).replace("symmetric_gaussian", "")
        return
    assert relative(peer.forward(x), block(x)) < 1e-9


@pytest.mark.parametrize("name", INSTALLED)
def test_installed_classes(name):
    pytest.importorskip("mmseg")
    case = case_of(name).at(channels=16)
    if name == "cc":
        case = case.at(overrides={})  # theirs has C / 8
    elif name in ("ema", "danet_channel"):
        case = case.at(overrides={"affinity": {"bases": 64}} if name == "ema" else {})
    block, x = case.build(), case.input()
    peer = PEERS.get("installed")(case, block, {})
    # DisentangledNonLocal2d divides by float32 tensors.
    assert relative(peer.forward(x), block(x)) < (1e-6 if name == "dnl" else 1e-9)


def test_what_cannot_be_trained():
    pytest.importorskip("mmseg")
    for name in ("nl_concat", "ema"):
        with pytest.raises(NoPeer, match=r"in place|no gradient"):
            case = case_of(name, mode="train")
            PEERS.get("installed")(case, case.build(), {})


def test_official_classes_come_from_a_path(tmp_path):
    """A stand-in repository that says what it was given; nothing of it stays imported."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "latentgnn_v1.py").write_text(
        "import torch\n"
        "class LatentGNNV1(torch.nn.Module):\n"
        "    def __init__(self, **arguments):\n"
        "        super().__init__()\n"
        "        self.arguments = arguments\n"
        "    def load_state_dict(self, weights):\n"
        "        self.weights = weights\n"
        "    def forward(self, x):\n"
        "        return self.arguments, self.weights\n"
    )
    case = Case("latentgnn", 32, GRID)
    block = case.build()
    with pytest.raises(NoPeer, match="--official latentgnn=PATH"):
        PEERS.get("official")(case, block, {})
    peer = PEERS.get("official")(case, block, {"latentgnn": str(tmp_path)})
    arguments, weights = peer.forward(None)
    assert arguments["channel_stride"] == 2 and arguments["latent_dims"] == [100]
    assert weights["up_channel.0.weight"].shape == (32, 16, 1, 1)  # the least width
    assert "lib.latentgnn_v1" not in __import__("sys").modules
    with pytest.raises(NoPeer, match="nowhere"):
        PEERS.get("official")(case, block, {"latentgnn": str(tmp_path / "nowhere")})
    assert set(OFFICIAL) <= set(BLOCKS.names())


@pytest.mark.parametrize("fault", ["output", "gradient", "shape", "nan"])
def test_a_wrong_block_is_seen(fault):
    case = case_of("snl")
    block = case.build()
    right = type(block).forward
    faults = {
        "output": lambda self, x: right(self, x) * (1 + 1e-6),
        "gradient": lambda self, x: right(self, x.detach()) + (x - x.detach()) * 2,
        "shape": lambda self, x: right(self, x)[:, :-1],
        "nan": lambda self, x: right(self, x) / 0,
    }
    block.__class__ = type("Faulty", (type(block),), {"forward": faults[fault]})
    assert ("gradient" if fault == "gradient" else "output") in check(case, block).wrong


def test_rounding_that_is_too_large_is_seen():
    """Exact in float64, and coarse in the dtype that would be measured."""
    case = case_of("a2").at(dtype="float32")
    block = case.build()
    right = type(block).forward

    def coarse(self, x):
        y = right(self, x)
        return y if y.dtype == torch.float64 else y + 0.01 * y.norm() / y.numel() ** 0.5

    block.__class__ = type("Coarse", (type(block),), {"forward": coarse})
    assert "output in float32" in check(case, block).wrong


def test_large_sizes_are_checked_at_a_smaller_one():
    case = case_of("nl").at(grid=(200, 100), batch=1, dtype="float32")
    verdict = check(case, case.build())
    height, width = map(int, verdict.size.split("x"))
    assert verdict.wrong == "" and height == 2 * width < 200
    assert (height * width) ** 2 * 8 < CHECK_BYTES < (4 * height * width) ** 2 * 8 * 4


def test_without_a_formula(monkeypatch):
    """The case is not checked, and has no peer: both say of what."""
    case = Case("snl", 8, GRID)
    monkeypatch.delitem(formulas.AFFINITIES, "relu_dot")
    with pytest.raises(formulas.NoFormula, match="affinity 'relu_dot'"):
        check(case, case.build())
    with pytest.raises(NoPeer, match="affinity 'relu_dot'"):
        PEERS.get("dense")(case, case.build(), {})


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        (dict(dropout=0.1), "dropout"),
        (dict(activation="gelu"), "gelu"),
        (dict(norm="instance"), "instance"),
        (dict(norm=dict(type="batch", eps=1.0)), "eps"),
        (dict(graph_filter="nobody's"), "nobody's"),
        (dict(graph_filter=dict(type="adjacency", dilation=2)), "dilation"),
        (dict(affinity=dict(type="gaussian", temperature=2)), "temperature"),
        (dict(affinity=dict(type="symmetric_gaussian", normalize=None)), "factor"),
    ],
    ids=str,
)
def test_what_nobody_published(settings, what):
    """It is refused, and no formula without it is taken for it."""
    settings = {"affinity": "gaussian", "graph_filter": "propagation", "values": False, **settings}
    names = [f"affinities.0.pair.{side}.weight" for side in ("theta", "phi")]
    weights = {name: torch.ones(2, 4) for name in [*names, "units.0.filters.0.weights.0.weight"]}
    with pytest.raises(formulas.NoFormula, match=what):
        formulas.block(settings, weights, torch.ones(1, 4, 2, 2))
