"""How a reference's weights become ours, and ours the reference's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ..blocks import NonLocalBlock, build_block
from .change import IMAGE, Change

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Rule:
    """Weights of the reference that together are weights of ours.

    Attributes:
        theirs: their keys. A field as {stage} stands for one name, the same in all keys.
        ours: our keys; none for what a reference declares and never uses.
        change: of the values.
    """

    theirs: str | tuple[str, ...]
    ours: str | tuple[str, ...]
    change: Change = IMAGE


@dataclass(frozen=True)
class Translation:
    """One reference class with its arguments, in our terms.

    Attributes:
        settings: arguments of ``build_block``.
        rules: for its state dict; the first that matches a key is taken.
    """

    settings: dict[str, Any]
    rules: Sequence[Rule]

    def block(self, state_dict: Weights) -> NonLocalBlock:
        """Our block with the reference's weights, in their dtype.

        Raises:
            ValueError: see ``ours``.
        """
        converted = self.ours(state_dict)
        block = build_block(**self.settings)
        block.to(next(v.dtype for v in converted.values() if v.is_floating_point()))
        block.load_state_dict(converted)
        return block

    def ours(self, state_dict: Weights) -> dict[str, Tensor]:
        """Our weights for the reference's.

        Raises:
            ValueError: a key that no rule knows, or weights that are missing, left over or of
                another shape than the block's, by name.
        """
        rules = [(names(r.theirs), names(r.ours), r.change.convert) for r in self.rules]
        converted = apply(rules, state_dict)
        self._check(converted)
        return converted

    def theirs(self, state_dict: Weights) -> dict[str, Tensor]:
        """The reference's weights for ours; those of ``unused`` are not among them.

        Raises:
            ValueError: as ``ours``; or the reference has matrices that ours are made of, and
                that cannot be told apart again.
        """
        self._check(state_dict)
        lost = [rule for rule in self.rules if rule.change.invert is None]
        if lost:
            raise ValueError(f"there is no way back: {', '.join(names(lost[0].theirs))} are folded "
                             f"into {', '.join(names(lost[0].ours))}")  # fmt: skip
        rules = [(names(r.ours), names(r.theirs), r.change.invert) for r in self.rules if r.ours]
        return apply(rules, state_dict)

    def unused(self, state_dict: Weights) -> list[str]:
        """Keys of the reference's that it declares and never uses: ours have no place for them."""
        patterns = [_pattern(key) for rule in self.rules if not rule.ours
                    for key in names(rule.theirs)]  # fmt: skip
        return [key for key in state_dict if any(p.fullmatch(key) for p in patterns)]

    @cached_property
    def _shapes(self) -> dict[str, torch.Size]:
        with torch.device("meta"):
            return {k: v.shape for k, v in build_block(**self.settings).state_dict().items()}

    def _check(self, ours: Weights) -> None:
        missing = sorted(set(self._shapes) - set(ours))
        extra = sorted(set(ours) - set(self._shapes))
        if missing or extra:
            raise ValueError(
                f"state_dict does not fit {self.settings}: missing {missing}, left over {extra}"
            )
        for key, shape in self._shapes.items():
            if ours[key].shape != shape:
                raise ValueError(f"{key} becomes {tuple(ours[key].shape)}; {self.settings} has "
                                 f"{tuple(shape)}")  # fmt: skip


def names(keys: str | tuple[str, ...]) -> tuple[str, ...]:
    """One key, or several, as several."""
    return (keys,) if isinstance(keys, str) else keys


def apply(
    rules: Sequence[tuple[tuple[str, ...], tuple[str, ...], Callable]], state_dict: Weights
) -> dict[str, Tensor]:
    """Each key by the first rule (source keys, target keys, change of the values) that knows it.

    Raises:
        ValueError: keys that no rule knows, or without which a rule cannot be applied.
    """
    result: dict[str, Tensor] = {}
    unknown, missing, done = [], [], set()
    for key in state_dict:
        if key in done:
            continue
        found = next((rule for rule in rules if _fields(rule[0], key) is not None), None)
        if found is None:
            unknown.append(key)
            continue
        fields = _fields(found[0], key)
        sources, targets = ([name.format(**fields) for name in side] for side in found[:2])
        done.update(sources)
        absent = [name for name in sources if name not in state_dict]
        missing += absent
        if not absent and targets:
            values = found[2](*(torch.as_tensor(state_dict[name]) for name in sources))
            values = values if isinstance(values, tuple) else (values,)
            result.update(zip(targets, values, strict=True))
    if unknown or missing:
        raise ValueError(
            f"state_dict has unknown keys {unknown}, missing keys {missing}; known: "
            f"{[name for sources, _, _ in rules for name in sources]}"
        )
    return result


def _pattern(template: str) -> re.Pattern:
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>\\w+)", re.escape(template)))


def _fields(templates: Sequence[str], key: str) -> dict[str, str] | None:
    matches = (_pattern(template).fullmatch(key) for template in templates)
    return next((match.groupdict() for match in matches if match), None)
