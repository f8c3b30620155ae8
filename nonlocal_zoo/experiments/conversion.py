"""What tools/convert_checkpoint.py does."""

from __future__ import annotations

import ast
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from ..references import Conversion, Place, convert_network, translate
from ..weight_files import is_plain, read_weights, write_weights

TEXTS = ("cfg", "config")  # in a checkpoint's meta: of the network that was


def parse_block(words: Sequence[str]) -> Place:
    """PATH CLASS KEY=VALUE ... of the command line.

    PATH is "theirs:ours" or one path for both; "norm_cfg.type=BN" is norm_cfg=dict(type="BN").

    Raises:
        ValueError: words that are no such thing.
        UnknownNameError, TypeError: see ``translate``.
    """
    if len(words) < 2:
        raise ValueError(f"--block {' '.join(words)}: allowed: PATH CLASS KEY=VALUE ...")
    path, reference, *pairs = words
    theirs, colon, ours = path.partition(":")
    args: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ValueError(f"--block {path}: {pair!r}; allowed: KEY=VALUE")
        *outer, last = key.split(".")
        inner = args
        for name in outer:
            inner = inner.setdefault(name, {})
        inner[last] = _literal(value)
    return Place(theirs, ours if colon else theirs, translate(reference, args))


def _literal(text: str) -> Any:
    """A number, bool, None, list or dict; any other text is itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def convert_file(
    source: str | os.PathLike,
    target: str | os.PathLike,
    places: Iterable[Place],
    back: bool = False,
) -> str:
    """Writes ``target``, and returns what was done in words.

    Raises:
        OSError, ValueError: see ``read_weights``, ``convert_network``, ``write_weights``.
    """
    weights, others = read_weights(source)
    result = convert_network(weights, list(places), back)
    meta = others.get("meta") if isinstance(others.get("meta"), dict) else {}
    kept = {key: v for key, v in meta.items() if key not in TEXTS and is_plain(v)}
    dropped = [key for key in others if key != "meta" or not meta]
    dropped += [f"meta.{key}" for key in meta if key not in kept]
    notes: dict[str, Any] = {"blocks": {now: settings for _, now, settings in result.blocks}}
    if kept:
        notes["meta"] = kept
    write_weights(target, result.weights, notes)
    return describe(result, dropped)


def describe(result: Conversion, dropped: Sequence[str]) -> str:
    """A line for each block and for each thing that was not converted."""
    lines = [f"{path} -> {now}: build_block(**{settings})" for path, now, settings in result.blocks]
    modules = Counter(".".join(key.split(".")[:2]) for key in result.rest)
    parts = ", ".join(f"{name} {count}" for name, count in sorted(modules.items()))
    lines.append(f"copied as they are: {len(result.rest)} keys" + (f" ({parts})" if parts else ""))
    if result.unused:
        lines.append(f"left out, never used by the published class: {', '.join(result.unused)}")
    if dropped:
        lines.append(f"left out, of the old network's training: {', '.join(dropped)}")
    return "\n".join(lines)
