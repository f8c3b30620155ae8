"""Every affinity with every filter, built as it is and with each setting that could help.

docs/pairs.md is written from this file; tests/blocks/test_pairs.py holds errors to it.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any, NamedTuple

import torch
from tables import affinity_config

from nonlocal_zoo import build_block
from nonlocal_zoo.registry import AFFINITIES, FILTERS, parameters_of

OPTIONS = {  # argument -> its default, and what else it could be
    "symmetrize": (None, True),
    "normalize": (None, "sym", "rw"),
    "rectify": (None, True),
    "convex": (None, False),
    "shared": (None, True),
    "scale": (None, False),
}


class Pair(NamedTuple):
    """What becomes of a pair.

    Attributes:
        error: of the pair as it is; "" where it builds.
        settings: all changes with which it builds, those with the fewest first.
        left: the error with all the structure that settings can give; "" where it builds.
    """

    error: str
    settings: list[dict[str, Any]]
    left: str

    @property
    def helps(self) -> str:
        """The first of ``settings`` in words."""
        return in_words(self.settings[0]) if self.settings else "nothing"


def in_words(changes: dict[str, Any]) -> str:
    """symmetrize=True, normalize='sym'"""
    return ", ".join(f"{key}={value!r}" for key, value in changes.items())


@cache
def pair(affinity: str, graph_filter: str) -> Pair:
    """What becomes of a pair with each setting of the affinity, and with values=False."""
    taken = [key for key in OPTIONS if key in parameters_of(AFFINITIES.get(affinity))]
    errors = []
    for values, *chosen in product((None, False), *(OPTIONS[key] for key in taken)):
        changes = dict(zip(["values", *taken], [values, *chosen], strict=True))
        changes = {key: value for key, value in changes.items() if value is not None}
        errors.append((changes, error_of(affinity, graph_filter, changes)))
    settings = sorted((changes for changes, error in errors if not error), key=len)
    if settings and not settings[0]:
        return Pair("", [], "")
    most = {"symmetrize": True, "normalize": "sym", "rectify": True, "values": False}
    widths = ("acts on the", "has no weights")  # not of the structure
    of_structure = [(c, e) for c, e in errors if not any(words in e for words in widths)]
    _, left = max(
        of_structure or errors, key=lambda pair: sum(most.get(k) == v for k, v in pair[0].items())
    )
    return Pair(errors[0][1], settings, "" if settings else left)


def error_of(affinity: str, graph_filter: str, changes: dict[str, Any]) -> str:
    """The refusal of a pair with changes; "" where it builds."""
    changes = dict(changes)
    block = {"values": changes.pop("values")} if "values" in changes else {}
    config = {**affinity_config(affinity), **changes}
    try:
        with torch.device("meta"):
            build_block(None, 64, affinity=config, graph_filter=graph_filter, **block)
    except (ValueError, LookupError) as error:
        return str(error)
    return ""


def all_pairs() -> dict[tuple[str, str], Pair]:
    """{(affinity, filter): what becomes of it}."""
    return {names: pair(*names) for names in product(AFFINITIES.names(), FILTERS.names())}
