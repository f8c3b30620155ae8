"""Who may import whom, read from the source."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import nonlocal_zoo

ROOT = Path(nonlocal_zoo.__file__).parent
# A module imports what stands on the lines above its own, and its own package.
ORDER = (
    ("formulas",),  # what the rest is held against: see REFERENCE_FOR
    ("_version", "arguments", "registry", "precision", "tracing", "signal", "layers"),
    ("operators",),
    ("affinities", "filters"),  # do not know each other
    ("blocks",),
    ("references",),
    ("tables", "doctor", "seal", "atomic"),
    ("adapters",),
    ("networks",),
    ("datasets",),
    ("engine",),
    ("experiments",),
    ("__main__",),
)
GROUND = {name: set() for name in (*ORDER[0], *ORDER[1])} | {
    "registry": {"arguments"},
    "layers": {"arguments", "precision", "registry", "tracing"},
    "signal": {"precision", "layers"},
}
CORE = {name for line in ORDER[1:7] for name in line} | {"__init__", "testing"}
REFERENCE_FOR = {"experiments"}  # and tests: nothing that formulas check may lean on them
MM = {"mmengine", "mmcv", "mmseg", "mmdet"}
HOSTS_MM = ("adapters/mm", "networks", "datasets", "engine", "experiments")
HOSTS_PYG = ("adapters/pyg", "networks", "datasets", "experiments")
FILES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))


def imports(path):
    """Absolute names of all modules that a file imports, also inside functions."""
    package = ["nonlocal_zoo", *path.parent.parts]
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if not node.level:
                yield node.module
                continue
            base = package[: len(package) - node.level + 1]
            base += node.module.split(".") if node.module else []
            yield from (".".join([*base, alias.name]) for alias in node.names)


def part(path):
    return path.parts[0].removesuffix(".py")


def may_import(importer, imported):
    if importer == imported or importer == "testing":
        return imported in {importer, *CORE}
    if importer == "__init__":
        return imported in (CORE | {"adapters"}) - {"testing"}
    if imported == "formulas":
        return importer in REFERENCE_FOR
    if importer in GROUND:
        return imported in GROUND[importer]
    line = next(k for k, names in enumerate(ORDER) if importer in names)
    return any(imported in names for names in ORDER[:line])


def test_every_part_has_its_line():
    known = {name for line in ORDER for name in line} | {"__init__", "testing"}
    assert {part(path) for path in FILES} <= known, "give a new part its line in ORDER"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports(path):
    allowed = sys.stdlib_module_names | {"torch", "nonlocal_zoo"}
    for name in imports(path):
        top, _, rest = name.partition(".")
        if top == "nonlocal_zoo":
            if rest:
                inner = rest.split(".")[0]
                assert may_import(part(path), inner), f"{path} imports {name}"
        elif part(path) in CORE | {"formulas"} or path.parts[:2] == ("adapters", "insert.py"):
            assert top in allowed, f"{path}: the core needs torch and nothing else, not {name}"
        elif top in MM:
            assert str(path).startswith(HOSTS_MM), f"{path} imports {name}"
        elif top == "torch_geometric":
            assert str(path).startswith(HOSTS_PYG), f"{path} imports {name}"


def test_the_reader_sees_imports():
    """Otherwise the tests above hold for the wrong reason."""
    files = ("operators/arithmetic.py", "operators/normalization.py", "adapters/mm/plugins.py")
    seen = {name for file in files for name in imports(Path(file))}
    assert {"nonlocal_zoo.operators.scaled.Scaled", "nonlocal_zoo.registry.choose"} <= seen
    assert {"mmengine.registry", "nonlocal_zoo.blocks.build_block"} <= seen
    assert not may_import("affinities", "filters") and not may_import("operators", "blocks")
    assert not may_import("blocks", "testing") and may_import("references", "blocks")
    assert may_import("experiments", "formulas") and not may_import("formulas", "registry")
    assert not may_import("testing", "formulas") and not may_import("references", "formulas")


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_the_core_needs_torch_alone():
    """And says what to install where a part of it needs more."""
    blocked = [*sorted(MM), "torch_geometric", "torchvision", "timm"]
    result = run(
        f"import sys\n"
        f"for name in {blocked}: sys.modules[name] = None\n"
        "import nonlocal_zoo, nonlocal_zoo.testing, nonlocal_zoo.adapters, torch\n"
        "block = nonlocal_zoo.build_block('snl', 8)\n"
        "assert block(torch.randn(1, 8, 3, 3)).shape == (1, 8, 3, 3)\n"
        "try: import nonlocal_zoo.adapters.mm\n"
        "except ImportError as error: print(error)\n"
        "try: import nonlocal_zoo.adapters.pyg\n"
        "except ImportError as error: print(error)\n"
    )
    assert result.returncode == 0, result.stderr
    for extra in ("seg", "pyg"):
        assert f"pip install 'nonlocal_zoo[{extra}]'" in result.stdout


def test_importing_the_core_imports_no_host():
    result = run(
        f"import sys, nonlocal_zoo, nonlocal_zoo.adapters\nprint(sorted({MM} & set(sys.modules)))"
    )
    assert result.returncode == 0 and result.stdout.strip() == "[]", result.stderr
