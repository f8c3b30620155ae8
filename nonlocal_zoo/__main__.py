"""The command ``nlz``, which is ``python -m nonlocal_zoo`` too."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import NamedTuple

from .extras import install_line
from .registry import near


class Command(NamedTuple):
    """A word after ``nlz``: the module whose function it calls, what it does, what it needs."""

    module: str
    what: str
    extras: tuple[str, ...] = ()
    function: str = "main"


MM = ("seg", "onedl")  # either
COMMANDS = {
    "list": Command("listing", "the table of blocks, affinities and filters"),
    "doctor": Command("doctor", "versions found, known traps that apply, and the fixes"),
    "train": Command("engine.launch", "train the network of a config", MM, "train"),
    "test": Command("engine.launch", "score a checkpoint on the test set", MM, "test"),
    "compare": Command(
        "experiments.compare.command",
        "train blocks in one network, and say which differences can be believed",
        (*MM, "compare"),
    ),
    "visualize": Command("experiments.visualize.command", "look into a trained network", MM),
    "capabilities": Command(
        "experiments.capabilities.command", "what each block can do, small tasks", ("benchmark",)
    ),
    "benchmark": Command(
        "experiments.benchmark.command", "blocks beside their references", ("benchmark",)
    ),
    "convert": Command(
        "experiments.convert", "published weights into ours, and back", ("convert",)
    ),
    "published": Command("experiments.published.command", "published costs, counted anew", MM),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Calls a command with the words after it; returns the exit status.

    Modules are imported when their command is called: they need different packages.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print(usage())
        return 0 if words else 2
    name, *rest = words
    if name not in COMMANDS:
        print(f"nlz {name}: no such command.{near(name, COMMANDS)} Allowed: {', '.join(COMMANDS)}",
              file=sys.stderr)  # fmt: skip
        return 2
    command = COMMANDS[name]
    try:
        module = importlib.import_module(f"nonlocal_zoo.{command.module}")
    except ImportError as error:
        lines = "; or: ".join(install_line(extra) for extra in command.extras)
        print(f"nlz {name}: {error}. It needs: {lines}", file=sys.stderr)
        return 2
    sys.argv[0] = f"nlz {name}"  # what the parser calls itself
    return getattr(module, command.function)(rest) or 0


def usage() -> str:
    """What ``nlz --help`` prints."""
    rows = [f"  {name:13s} {command.what}" for name, command in COMMANDS.items()]
    return "\n".join(["usage: nlz COMMAND ..., nlz COMMAND --help\n", *rows])


if __name__ == "__main__":
    sys.exit(main())
