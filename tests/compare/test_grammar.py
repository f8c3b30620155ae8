"""Blocks as they are called on the command line."""

import pytest

from nonlocal_zoo.engine.config import ConfigError
from nonlocal_zoo.experiments.compare.command import slurm_options
from nonlocal_zoo.experiments.compare.grammar import IDENTITY_BLOCK, parse, parse_all, read_value

SYM = dict(type="relu_dot", symmetrize=True, normalize="sym")


@pytest.mark.parametrize(
    ("text", "block"),
    [
        ("none", None),
        ("identity", IDENTITY_BLOCK),
        ("nl", dict(name="nl")),
        ("nl,reduction=4", dict(name="nl", reduction=4)),
        ("nl,norm=None,subsample=true", dict(name="nl", norm=None, subsample=True)),
        ("snl,filter.order=3", dict(name="snl", graph_filter=dict(order=3))),
        ("affinity=relu_dot,filter=adjacency", dict(affinity="relu_dot", graph_filter="adjacency")),
        # a filter that needs a symmetric operator gets one
        ("affinity=relu_dot,filter=cayley", dict(affinity=SYM, graph_filter="cayley")),
        (
            "affinity=relu_dot,affinity.symmetrize=true,filter=cayley,filter.order=1",
            dict(
                affinity=dict(type="relu_dot", symmetrize=True),
                graph_filter=dict(type="cayley", order=1),
            ),
        ),
        ("affinity={type: latent, dim: 5},stages=2", dict(affinity=dict(type="latent", dim=5),
                                                          stages=2)),
        ("affinity={type: mixture, kernels: [{type: gaussian}, relu_dot], convex: false},stages=2",
         dict(stages=2, affinity=dict(type="mixture", convex=False,
                                      kernels=[dict(type="gaussian"), "relu_dot"]))),
        ("affinity=[gaussian, relu_dot]", dict(affinity=["gaussian", "relu_dot"])),
        ("{name: nl, reduction: 4}", dict(name="nl", reduction=4)),
        ("affinity={type: disentangled, temperature: 5e-2}",
         dict(affinity=dict(type="disentangled", temperature=0.05))),
        ("dnl,affinity={type: disentangled, temperature: 1e+1},norm={type: batch, momentum: 1E-1}",
         dict(name="dnl", affinity=dict(type="disentangled", temperature=10.0),
              norm=dict(type="batch", momentum=0.1))),
        ('{"name": "nl", "norm": null}', dict(name="nl", norm=None)),
    ],
)  # fmt: skip
def test_reads(text, block):
    assert parse(text).block == block and parse(text).label == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nll", ["block 'nll'", "Did you mean", "'nl'"]),
        ("nl,4", ["'4' is not KEY=VALUE"]),
        ("nl,redaction=4", ["'redaction'", "'reduction'"]),
        ("nl,reduction=0", ["reduction=0", "int >= 1"]),
        ("affinity=relu_dott", ["relu_dott", "relu_dot"]),
        ("snl,filter.ordr=3", ["'ordr'", "'order'"]),
        ("{name: nl", ["block '{name: nl'"]),
        # as written, not as tried with another affinity
        ("affinity=dot_product,filter=heat", ["spectral radius <= 1"]),
        ("affinity={type: relu_dot},filter=cayley", ["needs a symmetric operator"]),
    ],
)
def test_says_what_is_wrong(text, words):
    with pytest.raises(ConfigError) as error:
        parse(text)
    assert all(word in str(error.value) for word in words), error.value


def test_a_long_block_has_a_short_folder():
    text = "affinity={type: mixture, kernels: [" + ", ".join(["relu_dot"] * 8 + ["gaussian"] * 8)
    rows = [parse(f"{text}]}},stages={stages}") for stages in (1, 2)]
    folders = [row.folder for row in rows]
    assert folders[0] != folders[1] and all(len(folder) <= 200 for folder in folders)
    assert folders[0] == parse(rows[0].label).folder
    assert parse("nl").folder == "nl"


def test_none_and_identity_are_always_there_and_nothing_twice():
    rows = parse_all(["nl", "identity", "nl", "snl,stages=2"])
    assert [row.label for row in rows] == ["none", "identity", "nl", "snl,stages=2"]
    assert rows[-1].folder == "snl,stages=2"
    assert parse("{name: nl, reduction: 4}").folder == "name_nl,_reduction_4"
    with pytest.raises(ConfigError, match="one folder name"):
        parse_all(["{name: nl}", "{name:  nl}"])


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 1e-3), ("1E3", 1e3), ("-2e+1", -20.0), (".5e2", 50.0), ("1.e-2", 0.01), ("3", 3),
     ("0.1", 0.1), ("1.5e3", 1500.0), ("true", True), ("null", None), ("1e", "1e"), ("e3", "e3"),
     ("1e-3x", "1e-3x"), ("[1e-3, {a: 2e5}]", [1e-3, {"a": 2e5}])],
)  # fmt: skip
def test_numbers(text, value):
    """YAML 1.1 takes 1e-3 for a text."""
    read = read_value(text)
    assert read == value and type(read) is type(value)
    assert slurm_options(["--slurm-x", text]) == {"x": value}
    assert parse("nl,norm=None").block["norm"] is None


def test_long_specs_have_folders():
    """File systems take 255 bytes for a name; two specs that begin alike have two folders."""
    start = "nl," + ",".join(["reduction=4"] * 40)
    rows = parse_all([f"{start},stages=1", f"{start},stages=2"])
    folders = [row.folder for row in rows[2:]]
    assert folders[0] != folders[1] and all(len(f.encode()) <= 160 for f in folders)
    assert all(f.startswith("nl,reduction=4,") for f in folders)
    assert rows[2].label == f"{start},stages=1"
    assert parse(f"{start},stages=1").folder == folders[0]  # the same at every start
