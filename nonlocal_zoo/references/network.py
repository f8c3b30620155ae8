"""Weights of a whole network: some modules published ones, the rest anything."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..registry import near
from .base import Translation


@dataclass(frozen=True)
class Place:
    """Where a network has a published block, and where ours stands.

    Attributes:
        theirs: path of the published module; a * stands for one name, so that
            "backbone.layer3.*.nonlocal_block" is the one in each residual block of the stage.
        ours: path of our block, with as many *.
        translation: what the module is (``translate``).
    """

    theirs: str
    ours: str
    translation: Translation

    def __post_init__(self) -> None:
        if not self.theirs or not self.ours or self.theirs.count("*") != self.ours.count("*"):
            raise ValueError(
                f"paths {self.theirs!r} and {self.ours!r}; allowed: two paths with as many *"
            )


@dataclass
class Conversion:
    """A network's weights after ``convert_network``.

    Attributes:
        weights: of the whole network.
        blocks: for each block its path before, its path now, and our arguments of
            ``build_block``.
        unused: keys that were left out: the published class declares and never uses them.
        rest: keys that are in no block and were copied.
    """

    weights: dict[str, Tensor] = field(default_factory=dict)
    blocks: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)


def convert_network(
    weights: Mapping[str, Tensor], places: Sequence[Place], back: bool = False
) -> Conversion:
    """Replaces the weights at each place and copies all others as they are.

    Args:
        weights: state dict of the network.
        places: what to convert. Nothing is guessed: a published block that no place names is
            copied with the rest.
        back: from ours to the published ones.

    Raises:
        ValueError: a place without a key, a key at two places or a name that would be given
            twice; and what ``Translation.ours`` and ``theirs`` refuse, with the path.
    """
    found: dict[str, tuple[str, Place, dict[str, Tensor]]] = {}
    home: dict[str, str] = {}  # key -> path of its block
    for place in places:
        source, target = (place.ours, place.theirs) if back else (place.theirs, place.ours)
        pattern = re.compile(re.escape(source).replace(r"\*", r"([^.]+)") + r"\.(.+)")
        hits = [match for match in map(pattern.fullmatch, weights) if match]
        if not hits:
            paths = {key.rsplit(".", k)[0] for key in weights for k in range(1, key.count(".") + 1)}
            raise ValueError(f"no key lies under {source!r}.{near(source, sorted(paths))}")
        for match in hits:
            key, inner = match[0], match[match.lastindex]
            path = key.removesuffix(f".{inner}")
            if key in home:
                raise ValueError(f"{key} is in two blocks, {home[key]!r} and {path!r}")
            home[key] = path
            pieces = iter(match.groups())
            now = re.sub(r"\*", lambda _, pieces=pieces: next(pieces), target)
            found.setdefault(path, (now, place, {}))[2][inner] = weights[key]

    result = Conversion()
    for key, value in weights.items():
        if key not in home:
            result.rest.append(key)
            _put(result, {key: value})
        elif home[key] in found:
            path = home[key]
            now, place, inner = found.pop(path)
            _convert(result, path, now, place.translation, inner, back)
    return result


def _convert(
    result: Conversion,
    path: str,
    now: str,
    translation: Translation,
    weights: Mapping[str, Tensor],
    back: bool,
) -> None:
    try:
        converted = translation.theirs(weights) if back else translation.ours(weights)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    _put(result, {f"{now}.{key}": value for key, value in converted.items()})
    result.blocks.append((path, now, translation.settings))
    if not back:
        result.unused += [f"{path}.{key}" for key in translation.unused(weights)]


def _put(result: Conversion, weights: Mapping[str, Tensor]) -> None:
    twice = sorted(set(weights) & set(result.weights))
    if twice:
        raise ValueError(f"{twice} would be in the result twice; give the block another path")
    result.weights.update(weights)
