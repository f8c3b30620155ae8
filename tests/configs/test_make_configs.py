"""tools/make_configs.py: configs follow the registry of blocks."""

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_configs", ROOT / "tools/make_configs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def configs(tool: ModuleType, tmp_path: Path) -> Path:
    """A copy of the tree with the files written by hand only."""
    for path in ROOT.glob("configs/**/*.py"):
        if not path.read_text().startswith(tool.HEADER):
            copy = tmp_path / path.relative_to(ROOT / "configs")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    return tmp_path


def test_the_configs_of_this_checkout_are_up_to_date(tool: ModuleType) -> None:
    assert tool.main(["--check"]) == 0


def test_writes_what_is_missing_and_then_finds_nothing(tool: ModuleType, configs: Path) -> None:
    assert tool.main(["--check"], configs) == 1
    assert not list(configs.rglob("snl_*.py"))  # --check writes nothing
    assert tool.main([], configs) == 0
    assert tool.main(["--check"], configs) == 0
    written = {p.relative_to(configs): p.read_text() for p in configs.rglob("snl_*.py")}
    kept = {p.relative_to(ROOT / "configs"): p.read_text() for p in ROOT.glob("configs/**/snl_*")}
    assert written == kept


def test_finds_and_mends_an_edited_a_lost_and_a_left_over_file(
    tool: ModuleType, configs: Path, capsys: pytest.CaptureFixture
) -> None:
    tool.main([], configs)
    folder = configs / "synthetic"
    edited, lost = folder / "nl_r18-stage1_longrange.py", folder / "snl_r18-stage1_longrange.py"
    text = edited.read_text()
    edited.write_text(text + "x = 1\n")
    lost.unlink()
    left_over = folder / "gone_r18-stage1_longrange.py"
    left_over.write_text(text)
    by_hand = folder / "mine.py"
    by_hand.write_text("x = 1\n")
    capsys.readouterr()
    assert tool.main(["--check"], configs) == 1
    said = capsys.readouterr().out.split("\n")
    assert [line for line in said if line] == [f"stale: {p}" for p in (edited, lost, left_over)]
    assert tool.main([], configs) == 0
    assert edited.read_text() == text and lost.exists() and not left_over.exists()
    assert by_hand.exists()
