"""The list of planted faults follows the code; running them takes hours and is not done here."""

import ast
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("planted_faults", ROOT / "tools/planted_faults.py")
planted_faults = importlib.util.module_from_spec(spec)
spec.loader.exec_module(planted_faults)

SOURCE = '''
class Walk:
    needs = ("square",)

    @quick
    def step(self, x, y=None):
        """Doc."""
        z = self.act(x - 1)  # a comment
        if y is None:
            z += torch.sum(z - 2, dim=1)
        x.run(y)
        return z.sum(dim=0,
                     keepdim=True)
'''
MUTATIONS = [  # mutation, what it replaces, by what
    ("x - 1 -> y", "act(x - 1)", "act(y)"),
    ("x  -   1 -> y", "act(x - 1)", "act(y)"),
    ("z += torch.sum(z - 2, dim=1) -> z = y", "z += torch.sum(z - 2, dim=1)", "z = y"),
    ("swap - + #2", "z - 2", "z + 2"),
    ("negate z - 2", "sum(z - 2", "sum(-(z - 2)"),
    ("detach self.act(x - 1)", "self.act(x - 1)", "self.act(x - 1).detach()"),
    ("drop act", "self.act(x - 1)", "x - 1"),
    ("drop sum #1", "torch.sum(z - 2, dim=1)", "z - 2"),
    ("drop sum #2", "z.sum(dim=0, keepdim=True)", "z"),
    ("argument sum dim -> 2 #1", "dim=1", "dim=2"),
    ("argument sum 0 -> y #1", "sum(z - 2", "sum(y"),
    ("omit sum dim #2", "dim=0, ", ""),
    ("delete z #2", "z += torch.sum(z - 2, dim=1)", "pass"),
    ("delete run()", "x.run(y)", "pass"),
    ("condition -> True", "y is None", "True"),
    ("undecorate quick", "    @quick\n", ""),
]
WRONG = [  # function, mutation, what the error says
    ("Walk.run", "return x", "Walk.run is 0 times there"),
    ("Run.step", "return x", "Run.step is 0 times there"),
    ("Walk.step", "x + 1 -> y", "fits 0 nodes"),
    ("Walk.step", "swap - +", "fits 2 nodes"),
    ("Walk.step", "swap - + #3", "fits 2 nodes"),
    ("Walk.step", "x -> x #2", "changes nothing"),
    ("Walk.step", "undecorate slow", "changes nothing"),
    ("Walk.step", "omit sum 5 #1", "changes nothing"),
    ("Walk.step", "break it", "no mutation"),
]


def test_each_can_be_planted():
    faults = planted_faults.read_faults(planted_faults.LIST.read_text())
    assert len(faults) > 150 and len({fault.name for fault in faults}) == len(faults)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """One file, and the tool looks for faults there."""
    folder = tmp_path / "nonlocal_zoo"
    folder.mkdir()
    (folder / "walk.py").write_text(SOURCE)
    monkeypatch.setattr(planted_faults, "ROOT", tmp_path)
    monkeypatch.setattr(planted_faults, "LIST", tmp_path / "faults.txt")
    return tmp_path


@pytest.mark.parametrize("mutation, right, wrong", MUTATIONS)
def test_vocabulary(package, mutation, right, wrong):
    plain = ast.unparse(ast.parse(SOURCE))
    assert plain.count(right) == 1
    fault = planted_faults.Fault("name", "walk.py", "Walk.step", mutation)
    assert planted_faults.plant(fault) == plain.replace(right, wrong)


def test_whole_body(package):
    fault = planted_faults.Fault("name", "walk.py", "Walk.step", "return x")
    source = planted_faults.plant(fault)
    assert source.endswith("def step(self, x, y=None):\n        return x")


def test_class_attribute(package):
    fault = planted_faults.Fault("name", "walk.py", "Walk.needs", "('square',) -> ()")
    assert "needs = ()" in planted_faults.plant(fault)


@pytest.mark.parametrize("function, mutation, text", WRONG)
def test_what_is_not_there(package, function, mutation, text, monkeypatch, capsys):
    line = f"some fault | walk.py | {function} | {mutation}"
    with pytest.raises(ValueError, match=text):
        planted_faults.read_faults(line)
    planted_faults.LIST.write_text(line)
    monkeypatch.setattr("sys.argv", ["planted_faults.py"])
    assert planted_faults.main() == 2
    assert "some fault" in capsys.readouterr().out


def test_a_line_that_is_none(package):
    with pytest.raises(ValueError, match="three parts"):
        planted_faults.read_faults("three parts | walk.py | Walk.step")
    with pytest.raises(ValueError, match=r"run\.py"):
        planted_faults.read_faults("no file | run.py | Walk.step | return x")


def test_nearest_first():
    near, others = planted_faults.nearest_first("kernels/attention.py")
    assert near[0] == "kernels/test_attention.py" and "kernels/test_nearest.py" in near[1:]
    assert others == [target for target in planted_faults.FAST if target != "kernels"]
    assert planted_faults.nearest_first("fuse.py")[0] == ["test_fuse.py"]
    assert planted_faults.nearest_first("precision.py") == ([], list(planted_faults.FAST))
    for target in planted_faults.FAST:
        assert (ROOT / "tests" / target).exists()
