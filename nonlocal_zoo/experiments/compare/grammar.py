"""What a block is called on the command line."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

import torch
import yaml

from nonlocal_zoo.blocks import build_block
from nonlocal_zoo.engine.config import ConfigError

NONE, IDENTITY = "none", "identity"
# x -> A x with A = I: all the machinery of a block, and no effect.
IDENTITY_BLOCK = dict(affinity="identity", graph_filter="propagation", values=False, residual=False)
SHORT = {"filter": "graph_filter"}
LONGEST = 160  # bytes of a folder's name; file systems have 255, and runs are named by it and more


class Loader(yaml.SafeLoader):
    """YAML in which 1e-3 is a number, as in YAML 1.2; in 1.1 it needs a dot and a sign."""


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def read_value(text: str) -> Any:
    """A value on the command line."""
    return yaml.load(text, Loader)  # a SafeLoader


@dataclass(frozen=True)
class Row:
    """A line of the leaderboard.

    Attributes:
        label: what it was called on the command line.
        block: arguments of ``build_block`` but for in_channels; None for the network without one.
    """

    label: str
    block: dict[str, Any] | None

    @property
    def folder(self) -> str:
        """The label with nothing in it that a file system or shell could mind.

        A long one is cut off, and the first letters of its SHA-256 stand for the rest.
        """
        name = re.sub(r"[^\w.=,-]+", "_", self.label).strip("_")
        if 0 < len(name.encode()) <= LONGEST:
            return name
        mark = hashlib.sha256(self.label.encode()).hexdigest()[:12]
        return f"{name.encode()[: LONGEST - 13].decode(errors='ignore')}-{mark}"


def parse(text: str) -> Row:
    """A row from its text.

        none | identity | NAME[,KEY=VALUE]* | KEY=VALUE[,KEY=VALUE]* | {KEY: VALUE, ...}

    NAME is a registered block, KEY an argument of ``build_block`` ("filter" is graph_filter), with
    dots for what is inside it: ``nl,reduction=4``, ``affinity=relu_dot,filter=cayley``,
    ``snl,filter.order=3``. VALUE and the last form are YAML. An affinity that is a bare name, under
    a filter that needs a symmetric or bounded operator, is symmetrised and normalised ("sym").

    Raises:
        ConfigError: it cannot be read, or there is no such block; with what is allowed.
    """
    if text == NONE:
        return Row(text, None)
    if text == IDENTITY:
        return Row(text, IDENTITY_BLOCK)
    try:
        settings = _value(text) if text.startswith("{") else _settings(text)
        return Row(text, _usable(settings))
    except (TypeError, ValueError, LookupError, yaml.YAMLError) as error:
        raise ConfigError(f"block {text!r}: {error}") from error


def parse_all(texts: list[str]) -> list[Row]:
    """Rows in the order none, identity, then as given.

    Raises:
        ConfigError: see ``parse``; or two texts stand for the same row.
    """
    rows = [parse(text) for text in dict.fromkeys([NONE, IDENTITY, *texts])]
    folders: dict[str, Row] = {}
    for row in rows:
        other = folders.setdefault(row.folder, row)
        if other is not row:
            raise ConfigError(f"blocks {other.label!r} and {row.label!r} have one folder name, "
                              f"{row.folder!r}; give one of them only")  # fmt: skip
    return rows


def _settings(text: str) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for i, part in enumerate(_split(text)):
        path, equals, value = part.partition("=")
        if not equals and i == 0:
            path, value = "name", part
        elif not equals:
            raise ValueError(f"{part!r} is not KEY=VALUE")
        *outer, key = [SHORT.get(key, key) for key in path.strip().split(".")]
        node = settings
        for name in outer:
            inside = node.get(name, {})
            node[name] = {"type": inside} if isinstance(inside, str) else inside
            node = node[name]
        node[key] = _value(value)
    return settings


def _split(text: str) -> list[str]:
    """At the commas that are in no brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "{[") - (letter in "}]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _value(text: str) -> Any:
    return None if text.strip() == "None" else read_value(text)


def _usable(settings: dict[str, Any]) -> dict[str, Any]:
    """``settings``, tried on a small picture."""
    try:
        _try(settings)
    except ValueError:
        affinity = settings.get("affinity")
        if "name" in settings or not isinstance(affinity, str):
            raise
        symmetric = settings | {
            "affinity": {"type": affinity, "symmetrize": True, "normalize": "sym"}
        }
        try:
            _try(symmetric)
        except (TypeError, ValueError):
            symmetric = None
        if symmetric is None:  # what the first try said is what the caller wrote
            raise
        return symmetric
    return settings


def _try(settings: dict[str, Any]) -> None:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        build_block(in_channels=256, **settings).eval()(torch.zeros(1, 256, 12, 12))
