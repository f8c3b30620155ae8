"""Do the tests see a fault? Plants some, one at a time, and looks.

python tools/planted_faults.py [-k PATTERN] [-j JOBS]

A fault is a line of tools/faults.txt, "name | file | function | mutation", and a mutation changes
one node of that function's syntax tree. Layout, comments and places in a file do not matter.

    A -> B                the expression (or statement) A becomes B
    negate A              A becomes -A
    detach A              A becomes A.detach()
    swap + -              an operator becomes another one
    drop f                f(x, ...) and x.f(...) become x; "drop -", "drop not" and "drop ~" too
    argument f K -> A     the argument K (a name or a position) of a call of f becomes A
    omit f K              a call of f is made without its argument K
    delete A              a statement that assigns A is left out, or with "f()" a call of f
    condition -> True     the test of an if or a while becomes True or False
    return A              the whole body becomes this
    undecorate A          a decorator is taken off

"#2" at the end: the second such node, inner before outer and left before right; without it there
must be one alone.

Each fault goes into a copy of the package in a temporary folder, and the fast part of the tests
runs against that copy, nearest first.

Exit status: 0 if all faults are caught, 1 if one is missed, 2 if the list or the tests are broken.
"""

from __future__ import annotations

import argparse
import ast
import fnmatch
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
LIST = Path(__file__).with_name("faults.txt")
FAST = (
    "kernels",
    "layers",
    "operators",
    "functions",
    "affinities",
    "filters",
    "test_signal.py",
    "blocks",
    "test_doors.py",
    "test_fuse.py",
    "references",
    "adapters/test_insert.py",
    "adapters/test_pyg.py",
)
LIMIT = 1200  # seconds: a fault may be a loop without an end
OWNERS = ("torch", "F", "nn", "math", "copy", "self", "signal")  # have functions of what is given
OPERATORS = {
    "+": ast.Add, "-": ast.Sub, "*": ast.Mult, "/": ast.Div, "@": ast.MatMult, "**": ast.Pow,
    "//": ast.FloorDiv, "%": ast.Mod, "&": ast.BitAnd, "|": ast.BitOr, "and": ast.And, "or": ast.Or,
    "<": ast.Lt, "<=": ast.LtE, ">": ast.Gt, ">=": ast.GtE, "==": ast.Eq, "!=": ast.NotEq,
}  # fmt: skip
UNARY = {"-": ast.USub, "not": ast.Not, "~": ast.Invert}


class Fault(NamedTuple):
    """``mutation`` of ``function`` (a qualified name) in ``file`` (of the package)."""

    name: str
    file: str
    function: str
    mutation: str


class Mutation(ast.NodeTransformer):
    """Puts ``change(node)`` in the place of the n-th node that ``matches``."""

    def __init__(self, matches: Callable, change: Callable) -> None:
        self.matches, self.change = matches, change
        self.which, self.found = 1, 0

    def visit(self, node: ast.AST) -> ast.AST:
        node = self.generic_visit(node)
        self.found += (fits := self.matches(node))
        return self.change(node) if fits and self.found == self.which else node


def parsed(text: str) -> ast.AST:
    """An expression, or the one statement that the text is."""
    (statement,) = ast.parse(text).body
    return statement.value if isinstance(statement, ast.Expr) else statement


def called(node: ast.AST) -> str | None:
    """The name of what a call calls, without what is before a dot."""
    function = node.func if isinstance(node, ast.Call) else None
    return getattr(function, "attr", getattr(function, "id", None))


def becomes(old: str, new: str) -> Mutation:
    kind, whole = type(parsed(old)), ast.unparse(parsed(old))

    def matches(node: ast.AST) -> bool:
        written = isinstance(getattr(node, "ctx", None), ast.Store | ast.Del)
        return type(node) is kind and not written and ast.unparse(node) == whole

    return Mutation(matches, lambda _: parsed(new))


def swap(old: str, new: str) -> Mutation:
    return Mutation(lambda node: isinstance(node, OPERATORS[old]), lambda _: OPERATORS[new]())


def drop(what: str) -> Mutation:
    if kind := UNARY.get(what):
        return Mutation(lambda n: isinstance(getattr(n, "op", None), kind), lambda n: n.operand)

    def inside(node: ast.Call) -> ast.expr:
        owner = getattr(node.func, "value", None)
        return node.args[0] if owner is None or ast.unparse(owner) in OWNERS else owner

    return Mutation(lambda node: called(node) == what, inside)


def argument(function: str, key: str, value: str | None = None) -> Mutation:
    new = [] if value is None else [parsed(value)]

    def change(node: ast.Call) -> ast.Call:
        if key.isdigit():
            node.args[int(key) : int(key) + 1] = new
        else:
            others = [k for k in node.keywords if k.arg != key]
            node.keywords = others + [ast.keyword(key, given) for given in new]
        return node

    return Mutation(lambda node: called(node) == function, change)


def delete(what: str) -> Mutation:
    def matches(node: ast.AST) -> bool:
        if isinstance(node, ast.Assign | ast.AugAssign):
            return what in map(ast.unparse, getattr(node, "targets", None) or [node.target])
        return isinstance(node, ast.Expr) and f"{called(node.value)}()" == what

    return Mutation(matches, lambda _: ast.Pass())


def replace(kind: type, field: str, value: Callable) -> Mutation:
    """A field of a node of some kind becomes ``value(node)``."""
    return Mutation(
        lambda node: isinstance(node, kind),
        lambda node: setattr(node, field, value(node)) or node,
    )


VOCABULARY = {
    r"negate (.+)": lambda old: becomes(old, f"-({old})"),
    r"detach (.+)": lambda old: becomes(old, f"({old}).detach()"),
    r"swap (\S+) (\S+)": swap,
    r"drop (\S+)": drop,
    r"argument (\w+) (\w+) -> (.+)": argument,
    r"omit (\w+) (\w+)": argument,
    r"delete (.+)": delete,
    r"condition -> (True|False)": lambda new: replace(
        ast.If | ast.IfExp | ast.While, "test", lambda _: parsed(new)
    ),
    r"return (.+)": lambda new: replace(
        ast.FunctionDef, "body", lambda _: [ast.Return(parsed(new))]
    ),
    r"undecorate (.+)": lambda old: replace(
        ast.FunctionDef,
        "decorator_list",
        lambda node: [d for d in node.decorator_list if ast.unparse(d) != old],
    ),
    r"(.+) -> (.+)": becomes,
}


def named(scope: ast.AST, name: str) -> ast.AST:
    """The function, class or assignment of a qualified name."""
    for part in name.split("."):
        found = [
            node
            for node in getattr(scope, "body", [])
            if getattr(node, "name", None) == part
            or (isinstance(node, ast.Assign) and part in map(ast.unparse, node.targets))
        ]
        if len(found) != 1:
            raise ValueError(f"{name} is {len(found)} times there, not 1")
        (scope,) = found
    return scope


def plant(fault: Fault) -> str:
    """The source of the file with the fault in it.

    Raises:
        ValueError: the function or the node is not there, or nothing changes.
    """
    tree = ast.parse((ROOT / "nonlocal_zoo" / fault.file).read_text())
    function = named(tree, fault.function)
    before = ast.unparse(function)
    text, number = re.fullmatch(r"(.*?)(?: #(\d+))?", fault.mutation).groups()
    known = ((re.fullmatch(words, text), make) for words, make in VOCABULARY.items())
    mutation = next((make(*match.groups()) for match, make in known if match), None)
    if mutation is None:
        raise ValueError(f"{text!r} is no mutation")
    mutation.which = int(number or 1)
    mutation.visit(function)
    if mutation.found < mutation.which or (mutation.found > 1 and number is None):
        raise ValueError(f"{fault.mutation!r} fits {mutation.found} nodes of {fault.function}")
    if ast.unparse(function) == before:
        raise ValueError(f"{fault.mutation!r} changes nothing in {fault.function}")
    return ast.unparse(tree)


def read_faults(text: str) -> list[Fault]:
    """Entries "name | file | function | mutation", each of which can be planted.

    Raises:
        ValueError: naming the fault that cannot.
    """
    faults, wrong = [], []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        try:
            fault = Fault(*(part.strip() for part in line.split(" | ", 3)))
            ast.parse(plant(fault))
            faults.append(fault)
        except (ValueError, TypeError, SyntaxError, KeyError, IndexError, OSError) as error:
            wrong.append(f"{line!r}: {error}")
    if wrong:
        raise ValueError("\n".join(wrong))
    return faults


def nearest_first(file: str) -> tuple[list[str], list[str]]:
    """Tests of the part of the package that has the file, its own in front; and all others."""
    part, own = Path(file).with_suffix("").parts[0], f"test_{Path(file).name}"
    near = [t for t in FAST if t.startswith((f"{part}/", f"test_{part}.")) or t == part]
    others = [t for t in FAST if t not in near]
    if part in near:  # a folder: pytest keeps the order of files
        near = [f"{part}/{path.name}" for path in (ROOT / "tests" / part).glob("test_*.py")]
    return sorted(near, key=lambda path: (not path.endswith(f"/{own}"), path)), others


def run(fault: Fault | None) -> tuple[int, str]:
    """pytest's exit status with ``fault`` (or none) planted, and the first test that fails."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        hidden = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "nonlocal_zoo", copy / "nonlocal_zoo", ignore=hidden)
        shutil.copytree(ROOT / "tests", copy / "tests", ignore=hidden)
        shutil.copy(ROOT / "setup.cfg", copy)
        if fault:
            (copy / "nonlocal_zoo" / fault.file).write_text(plant(fault))
        environment = {
            **os.environ,
            "PYTHONPATH": folder,
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
        }

        def python(*arguments: str) -> subprocess.CompletedProcess:
            command, kept = [sys.executable, *arguments], dict(capture_output=True, text=True)
            return subprocess.run(command, cwd=folder, env=environment, timeout=LIMIT, **kept)

        where = python("-c", "import nonlocal_zoo; print(nonlocal_zoo.__file__)")
        if not where.stdout.startswith(folder):
            return 2, f"the copy is not what is imported: {where.stdout or where.stderr}"
        for targets in nearest_first(fault.file) if fault else [FAST]:
            if not targets:
                continue
            paths = [f"tests/{target}" for target in targets]
            try:
                result = python("-m", "pytest", "-xq", "--tb=line", "-pno:cacheprovider", *paths)
            except subprocess.TimeoutExpired:
                return 1, f"no end within {LIMIT} s"
            if result.returncode:
                break
        first = re.search(r"^(?:FAILED|ERROR) (.*?)(?: - .*)?$", result.stdout, re.M)
        return result.returncode, first[1] if first else result.stdout[-500:]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-k", default="*", help="only faults whose name matches a shell pattern")
    parser.add_argument("-j", type=int, default=2, help="how many at a time (default: 2)")
    options = parser.parse_args()
    try:
        faults = read_faults(LIST.read_text())
    except ValueError as error:
        print(f"the list does not fit the code:\n{error}")
        return 2
    faults = [fault for fault in faults if fnmatch.fnmatch(fault.name, options.k)]
    if not faults:
        parser.error(f"no fault is called {options.k}")
    status, first = run(None)
    if status:
        print(f"the tests fail without any fault: {first}")
        return 2
    missed = 0
    with ThreadPoolExecutor(options.j) as pool:
        for fault, (status, first) in zip(faults, pool.map(run, faults), strict=True):
            verdict = {0: "MISSED", 1: "caught"}.get(status, "BROKEN")
            missed += status != 1
            print(f"{verdict}  {fault.name:52} {first if status else ''}", flush=True)
    print(f"{len(faults) - missed} of {len(faults)} caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
