"""Who may import whom, read from the source."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

import nonlocal_zoo

ROOT = Path(nonlocal_zoo.__file__).parent
# A module imports what stands on the lines above its own, and its own package.
ORDER = (
    ("formulas",),  # what the rest is held against: see REFERENCE_FOR
    ("_version", "arguments", "registry", "precision", "tracing"),
    ("kernels",),
    ("signal", "layers"),
    ("operators",),
    ("functions",),
    ("affinities", "filters"),  # do not know each other
    ("blocks",),
    ("references", "fuse"),
    ("extras",),
    ("tables", "doctor", "seal", "atomic"),
    ("listing", "weight_files"),
    ("block_files",),
    ("adapters",),
    ("networks",),
    ("datasets",),
    ("engine",),
    ("experiments",),
    ("__main__",),
)
GROUND = {name: set() for name in (*ORDER[0], *ORDER[1])} | {
    "registry": {"arguments"},
    "layers": {"arguments", "precision", "registry"},
    "signal": {"precision", "kernels"},
}
CORE = {name for line in ORDER[1 : ORDER.index(("adapters",))] for name in line}
CORE |= {"__init__", "testing"}
REFERENCE_FOR = {"experiments"}  # and tests: nothing that formulas check may lean on them
MM = {"mmengine", "mmcv", "mmseg", "mmdet"}
HOSTS_MM = ("adapters/mm", "networks", "datasets", "engine", "experiments")
HOSTS_PYG = ("adapters/pyg", "networks", "datasets", "experiments")
FILES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))
# What a function of the core imports: a quarter of a second of sympy, which a trace alone needs.
LATE = {("tracing.py", "torch.fx.experimental.symbolic_shapes")}


def imports(path, tree=None):
    """Absolute names of all modules that a file (or a part of it) imports, also in functions."""
    package = ["nonlocal_zoo", *path.parent.parts]
    for node in ast.walk(tree or ast.parse((ROOT / path).read_text())):
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


class WithoutTypes(ast.NodeTransformer):
    """Leaves out what type checkers alone import."""

    def visit_If(self, node):
        self.generic_visit(node)
        return node.orelse if ast.unparse(node.test).endswith("TYPE_CHECKING") else node


def module(path):
    return ".".join(["nonlocal_zoo", *path.with_suffix("").parts]).removesuffix(".__init__")


def run_first(importer, name, modules):
    """The modules of ours that run where ``importer`` imports ``name``.

    With a module all packages run that it is in, but for those that the importer is in itself: an
    __init__ that re-exports its own modules is no circle, a module that imports its __init__ is.
    """
    while name not in modules:
        name = name.rpartition(".")[0]
    yield name
    while name := name.rpartition(".")[0]:
        if not f"{importer}.".startswith(f"{name}."):
            yield name


def circle(graph):
    """Names of modules that import each other in a circle; none where there is none."""
    try:
        list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def test_no_modules_import_each_other_in_a_circle():
    """Nor by an import inside a function, which hides one."""
    graph = {name: set() for name in map(module, FILES)}
    for path in FILES:
        name, tree = module(path), WithoutTypes().visit(ast.parse((ROOT / path).read_text()))
        ours = [i for i in imports(path, tree) if i.partition(".")[0] == "nonlocal_zoo"]
        graph[name] = {first for i in ours for first in run_first(name, i, graph)}
    assert not circle(graph)
    assert graph["nonlocal_zoo.kernels"] >= {"nonlocal_zoo.kernels.blockwise"}
    for at, back in (
        ("kernels.blockwise", "kernels"),
        ("kernels.blockwise", "operators.base"),
        ("signal", "blocks"),
        ("signal", "signal"),
    ):
        at, back = f"nonlocal_zoo.{at}", f"nonlocal_zoo.{back}"
        assert at in circle(graph | {at: graph[at] | set(run_first(at, back, graph))})


def test_no_function_of_the_core_imports():
    found = {
        (str(path), name)
        for path in FILES
        if part(path) in CORE
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for name in imports(path, node)
    }
    assert found == LATE


def test_the_reader_sees_imports():
    """Otherwise the tests above hold for the wrong reason."""
    files = ("operators/base.py", "functions/low_rank.py", "adapters/mm/plugins.py")
    seen = {name for file in files for name in imports(Path(file))}
    assert {"nonlocal_zoo.operators.base.Factor", "nonlocal_zoo.registry.choose"} <= seen
    assert {"mmengine.registry", "nonlocal_zoo.blocks.build_block"} <= seen
    assert not may_import("affinities", "filters") and not may_import("operators", "blocks")
    assert not may_import("operators", "functions") and may_import("filters", "functions")
    assert not may_import("kernels", "signal") and not may_import("signal", "layers")
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
    for line in ("pip install mmengine==", "pip install onedl-mmengine==", "torch-geometric>="):
        assert line in result.stdout


def test_importing_the_core_imports_no_host():
    result = run(
        f"import sys, nonlocal_zoo, nonlocal_zoo.adapters\nprint(sorted({MM} & set(sys.modules)))"
    )
    assert result.returncode == 0 and result.stdout.strip() == "[]", result.stderr
