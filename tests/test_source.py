"""What could run code from a file is not in the source, read as a syntax tree."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [p for part in ("nonlocal_zoo", "tools") for p in sorted((ROOT / part).rglob("*.py"))]
FILES += [Path(__file__).parent / "conftest.py"]
RUNS = {"eval", "exec", "compile", "__import__"}
UNPICKLES = {"load", "loads", "Unpickler"}
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
ALLOWED = {  # file: what, why
    ("nonlocal_zoo/testing/compare.py", "pickle.loads"): "of what it pickled on the line itself",
}


def findings(tree):
    """What in a syntax tree runs text, unpickles, or loads weights otherwise than safely."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in ("weights_only", "allow_pickle"):
            safe = node.arg == "weights_only"
            if not (isinstance(node.value, ast.Constant) and node.value.value is safe):
                yield f"{node.arg}={ast.unparse(node.value)}"
        if isinstance(node, ast.ImportFrom) and node.module in MODULES:
            yield from (f"{node.module}.{a.name}" for a in node.names if a.name in UNPICKLES)
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        module, _, function = name.rpartition(".")
        if name in RUNS or (module == "builtins" and function in RUNS):
            yield name
        if module in MODULES and function in UNPICKLES:
            yield name
        if name in ("torch.load", "torch.jit.load", "torch.hub.load", "np.load", "numpy.load"):
            given = {keyword.arg for keyword in node.keywords}
            if name == "torch.load" and "weights_only" not in given:
                yield "torch.load without weights_only"
            elif name in ("torch.jit.load", "torch.hub.load"):
                yield name
        if function in ("system", "popen") and module == "os":
            yield name
        if any(k.arg == "shell" and getattr(k.value, "value", 1) for k in node.keywords):
            yield "shell=True"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_runs_what_a_file_says(path):
    name = str(path.relative_to(ROOT))
    found = [what for what in findings(ast.parse(path.read_text())) if (name, what) not in ALLOWED]
    assert not found, f"{name}: {found}; if it must be, ALLOWED says why"


def test_what_is_allowed_is_there():
    for name, what in ALLOWED:
        assert what in findings(ast.parse((ROOT / name).read_text())), "no longer needed"


@pytest.mark.parametrize(
    "code",
    ["eval(x)", "exec(x)", "builtins.eval(x)", "pickle.load(f)", "pickle.loads(b)",
     "from pickle import loads", "torch.load(f)", "torch.load(f, weights_only=False)",
     "torch.load(f, weights_only=flag)", "np.load(f, allow_pickle=True)", "os.system(x)",
     "subprocess.run(x, shell=True)", "__import__(x)", "compile(x, y, z)", "pickle.Unpickler(f)"],
)  # fmt: skip
def test_the_scan_sees(code):
    assert list(findings(ast.parse(code)))


@pytest.mark.parametrize(
    "code", ["torch.load(f, weights_only=True)", "np.load(f)", "net.eval()", "torch.compile(x)",
             "json.load(f)", "re.compile(x)", "np.load(f, allow_pickle=False)"],
)  # fmt: skip
def test_the_scan_lets_pass(code):
    assert not list(findings(ast.parse(code)))
