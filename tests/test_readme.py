"""What the README says, done."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mmengine")
pytest.importorskip("nonlocal_zoo.adapters.mm")  # before mmseg, which needs its stand-in
pytest.importorskip("torch_geometric")

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_python_blocks_run_in_order():
    namespace: dict = {}
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 5
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)
    __import__("nonlocal_zoo.registry").registry.AFFINITIES._entries.pop("cosine")


def test_mm_configs_of_the_readme_build():
    from mmengine.registry import MODELS
    from mmseg.utils import register_all_modules

    register_all_modules()
    namespace: dict = {}
    block = next(b for b in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "host" in b)
    exec(block, namespace)
    assert MODELS.build(dict(type="ResNet", depth=50, plugins=namespace["plugins"]))
    assert MODELS.build(namespace["backbone"])
    assert MODELS.build(namespace["decode_head"])


def test_table_is_fresh():
    command = [sys.executable, "tools/make_readme.py", "--check"]
    subprocess.run(command, cwd=ROOT, check=True)


@pytest.mark.parametrize(
    "path", re.findall(r"^(?:\w+=\S+ )?python (tools/\w+\.py)", README, re.MULTILINE)
)
def test_tools_of_the_readme_exist(path):
    done = subprocess.run([sys.executable, path, "--help"], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("path", re.findall(r"configs/\S+\.py", README))
def test_configs_of_the_readme_exist(path):
    assert (ROOT / path).is_file()
