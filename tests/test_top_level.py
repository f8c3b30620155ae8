"""What ``import nonlocal_zoo as nlz`` offers, and the command nlz."""

import importlib
import subprocess
import sys

import pytest
import torch

import nonlocal_zoo as nlz
from nonlocal_zoo import extras
from nonlocal_zoo.__main__ import COMMANDS, main
from nonlocal_zoo.filters import LinearFilter
from nonlocal_zoo.registry import BLOCKS, FILTERS


@pytest.fixture
def registered():
    """What a test registers goes with it."""
    tables = [(table, dict(table._entries)) for table in (BLOCKS, FILTERS)]
    yield
    for table, entries in tables:
        table._entries.clear()
        table._entries.update(entries)


def test_every_name_is_there_and_said():
    for name in nlz.__all__:
        assert getattr(nlz, name) is not None
    assert "embedded_gaussian" in nlz.list_affinities() and "heat" in nlz.list_filters()
    assert nlz.list_filters("cheb*") == ["chebyshev"]


def test_one_more_filter_and_block(registered, tmp_path):
    @nlz.register_filter("twice")
    class Twice(LinearFilter):
        formula = "2 A z W"

        def __init__(self, in_channels, out_channels, bias=True):
            super().__init__(in_channels, out_channels, terms=1, bias=bias)

        def terms(self, operator, z):
            yield 2 * operator.matmul(z)

        def basis(self, eigenvalues):
            return 2 * eigenvalues.unsqueeze(-1)

    nlz.register_block("twice_nl", affinity="embedded_gaussian", graph_filter="twice")
    block = nlz.build_block("twice_nl", 8).eval()
    x = torch.randn(1, 8, 4, 3)
    once = nlz.build_block(affinity="embedded_gaussian", graph_filter="adjacency", in_channels=8)
    once.load_state_dict(block.state_dict())
    bias = block.units[0].filters[0].weights[0].bias.view(1, -1, 1, 1)
    added = once.eval()(x) - x - bias
    assert torch.allclose(block(x) - x - bias, 2 * added, atol=1e-6) and added.abs().max() > 1e-3
    with pytest.raises(ValueError, match="'twice_nl' is registered twice"):
        nlz.register_block("twice_nl", affinity="gaussian")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (dict(affinity="gausian"), "Did you mean 'gaussian'"),
        (dict(affinty="gaussian"), "'affinity'"),
        (dict(affinity="dot_product", graph_filter="heat"), "spectral radius <= 1"),
    ],
)
def test_a_block_that_cannot_be_built_is_not_registered(registered, settings, words):
    with pytest.raises((LookupError, TypeError, ValueError), match=words):
        nlz.register_block("mine", **settings)
    assert "mine" not in nlz.list_blocks()


def test_a_block_in_a_file(tmp_path):
    pytest.importorskip("safetensors")
    spec = dict(name="snl", in_channels=8, stages=2)
    block = nlz.build_block(**spec)
    nlz.save_block(tmp_path / "snl.safetensors", block, spec)
    again = nlz.load_block(tmp_path / "snl.safetensors")
    x = torch.randn(1, 8, 4, 3)
    assert torch.equal(block.eval()(x), again.eval()(x))


def test_cost():
    cost = nlz.cost(nlz.build_block("nl", 8), (1, 8, 4, 3))
    assert cost.parameters == 4 * 8 * 4 + 3 * 4 + 8


@pytest.mark.parametrize(
    ("name", "meant"), [("NL", "nl"), ("SNLBlock", "snl"), ("snl_block", "snl"), ("GC", "gc")]
)
def test_names_of_classes_are_understood(name, meant):
    with pytest.raises(LookupError, match=f"Did you mean '{meant}'"):
        nlz.build_block(name, 8)


def test_channels_are_in_channels():
    with pytest.raises(TypeError, match=r"'channels'\. Did you mean 'in_channels'"):
        nlz.build_block("nl", channels=8)


def test_the_command_says_what_there_is(capsys):
    assert main([]) == 2 and main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"  {name} " in said for name in COMMANDS)
    assert main(["trian"]) == 2
    assert "nlz trian: no such command. Did you mean 'train'" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_its_help(name):
    done = subprocess.run(
        [sys.executable, "-m", "nonlocal_zoo", name, "--help"], capture_output=True, text=True
    )
    try:
        importlib.import_module(f"nonlocal_zoo.{COMMANDS[name].module}")
    except ImportError:  # an environment with a part of the extras
        assert done.returncode == 2 and "It needs: pip install " in done.stderr
        return
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: nlz {name}")


def test_what_is_missing_is_named_with_the_line_that_installs_it():
    code = "import sys; sys.modules['mmengine'] = None; from nonlocal_zoo.__main__ import main; "
    done = subprocess.run(
        [sys.executable, "-c", f"{code}sys.exit(main(['train', 'x.py']))"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "It needs: pip install mmengine==0.10.7" in done.stderr
    assert "; or: pip install onedl-mmengine==" in done.stderr


def test_extras_of_extras_are_followed():
    assert set(extras.requirements("seg")) < set(extras.requirements("det"))
    assert any(line.startswith("mmdet") for line in extras.requirements("det"))
    assert extras.install_line("pyg") == "pip install 'torch-geometric>=2.6'"
    assert extras.install_line("no such") == "pip install '.[no such]'"
