"""What README.md, docs/use.md and docs/train.md say, done; and every link leads somewhere."""

import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mmengine")
pytest.importorskip("nonlocal_zoo.adapters.mm")  # before mmseg, which needs its stand-in
pytest.importorskip("torch_geometric")

import nonlocal_zoo as nlz
from nonlocal_zoo.registry import AFFINITIES, FILTERS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = {name: (ROOT / name).read_text() for name in ("README.md", "docs/use.md", "docs/train.md")}
ALL = "\n".join(PAGES.values())
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def python_blocks(text):
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize(("page", "count"), [("README.md", 2), ("docs/use.md", 5)])
def test_python_blocks_run_in_order(page, count):
    namespace: dict = {}
    blocks = python_blocks(PAGES[page])
    assert len(blocks) == count
    for block in blocks:
        exec(compile(block, page, "exec"), namespace)
    AFFINITIES._entries.pop("cosine", None)


@pytest.mark.parametrize("page", ["README.md", "docs/use.md"])
def test_mm_configs_build(page):
    from mmengine.registry import MODELS
    from mmseg.utils import register_all_modules

    register_all_modules()
    namespace: dict = {}
    block = next(b for b in python_blocks(PAGES[page]) if "host=" in b)
    exec(block, namespace)
    assert MODELS.build(dict(type="ResNet", depth=50, plugins=namespace["plugins"]))
    assert MODELS.build(namespace["backbone"])
    assert MODELS.build(namespace["decode_head"])


def test_it_is_read_in_one_sitting():
    assert len(README.splitlines()) <= 150


def test_tables_are_fresh():
    command = [sys.executable, "tools/make_cost.py", "--check"]
    subprocess.run(command, cwd=ROOT, check=True)


def test_speeds_are_those_of_the_full_table():
    rows = [line for line in README.splitlines() if re.search(r"\d ms \|", line)]
    assert len(rows) == 4
    cost = (ROOT / "docs/cost.md").read_text().splitlines()
    assert all(row in cost for row in rows)


def test_numbers_of_what_there_is():
    said = re.findall(r"(?:All )?(\d+) (?:blocks on|with parameters|blocks find)", README)
    assert said == [str(len(nlz.list_blocks()))] * 3
    affinities, filters = len(nlz.list_affinities()), len(nlz.list_filters())
    assert f"Which of {affinities} affinities goes with which of {filters} filters" in README


def test_which_starts_as_identity_and_has_what_rank():
    """The table "Which block", measured."""
    import torch

    rows = re.findall(
        r"^\| (\w+) \| .*? \| (N|2c|c|d|C|64|1) \| .*? \| (\w+(?: \w+)?) \|", README, re.M
    )
    assert len(rows) == 10
    for name, rank, start in rows:
        torch.manual_seed(0)
        block = nlz.build_block(name, 16).train()
        x = torch.randn(2, 16, 10, 12)
        assert torch.equal(block(x), x) == (start == "identity"), name
        if rank not in ("N", "64"):
            bound = {"c": 8, "2c": 16, "d": 100, "C": 16, "1": 1}[rank]
            found = torch.linalg.matrix_rank(block.operator(x).to_dense()[0].double(), rtol=1e-5)
            assert found <= bound, name


@pytest.mark.parametrize("path", sorted(set(re.findall(r"python (tools/\w+\.py)", ALL))))
def test_tools_exist(path):
    done = subprocess.run([sys.executable, path, "--help"], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"configs/\S+\.py", ALL))))
def test_configs_exist(path):
    assert (ROOT / path).is_file()


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


@pytest.mark.parametrize("kind", ["affinities", "filters"])
def test_the_reference_has_every_class(kind):
    registry = {"affinities": AFFINITIES, "filters": FILTERS}[kind]
    listed = re.findall(r"^::: (.+)$", (ROOT / f"docs/api/{kind}.md").read_text(), re.M)
    classes = [registry.get(name) for name in registry.names()]
    assert listed == [f"{found.__module__}.{found.__name__}" for found in classes]


def test_the_reference_names_what_there_is():
    for page in (ROOT / "docs/api").glob("*.md"):
        for name in re.findall(r"^::: (.+)$", page.read_text(), re.M):
            assert pkgutil.resolve_name(name) is not None
