"""Random edits of valid block specs: each builds and runs, or gives one error that helps."""

import copy
import functools
import random
import statistics
import string
import time
from collections import Counter

import pytest
import torch
from counts import count

from nonlocal_zoo import build_block, list_blocks
from nonlocal_zoo.blocks import NonLocalBlock
from nonlocal_zoo.blocks.build import block_settings
from nonlocal_zoo.registry import (
    AFFINITIES,
    BLOCKS,
    FILTERS,
    UnknownNameError,
    choose,
    parameters_of,
)

pytestmark = pytest.mark.trust

EDITS = count(1500, 10_000)
JUNK = (None, True, False, -1, 0, 1, 2, 3, 1.5, -0.5, 10**9, float("nan"), float("inf"), "", "x",
        "snl", "subprocess.check_output", [], [1, 2], {}, {"type": "gaussian"}, {"x": 1},
        object, b"x", ("a",), [None], 1j)  # fmt: skip
SECONDS = 0.01  # of CPU, for an error
PARTS = {"affinity": AFFINITIES, "graph_filter": FILTERS, "gate": FILTERS}


def typo(word, draw):
    """One letter changed, left out, put in or swapped with the next."""
    i, letter = draw.randrange(len(word)), draw.choice(string.ascii_lowercase)
    return draw.choice(
        [word[:i] + letter + word[i + 1 :], word[:i] + word[i + 1 :], word[:i] + letter + word[i:],
         word[:i] + word[i + 1 : i + 2] + word[i : i + 1] + word[i + 2 :]]
    )  # fmt: skip


@functools.cache
def partners():
    """Affinities that the polynomial filter takes with the defaults of everything else."""
    found = []
    for name in AFFINITIES.names():
        spec = {"in_channels": 16, "affinity": name, "graph_filter": "polynomial"}
        if outcome(spec)[0] == "builds":
            found.append(name)
    return found


def valid_spec(draw):
    """A published row, written out or by name, or a pair; with every part a dict."""
    spec = {"in_channels": 16}
    if draw.random() < 0.3:
        spec |= {"affinity": draw.choice(partners()), "graph_filter": "polynomial"}
    elif draw.random() < 0.5:
        spec["name"] = draw.choice(list_blocks())
    else:
        spec |= block_settings(draw.choice(list_blocks()))
    for key in PARTS:
        if isinstance(spec.get(key), str):
            spec[key] = {"type": spec[key]}
    return spec


def places(node, path=()):
    """All dicts and lists in a spec that have something in them, with their paths."""
    if isinstance(node, dict | list) and node:
        yield path, node
        for key in node if isinstance(node, dict) else range(len(node)):
            yield from places(node[key], (*path, key))


def edit(spec, draw):
    """Changes ``spec``; returns the words of which an error should have one."""
    path, node = draw.choice(list(places(spec)) or [((), spec)])
    if not node:
        return ["in_channels"]  # all of it was deleted before
    key = draw.choice(list(node) if isinstance(node, dict) else range(len(node)))
    kind = draw.choice(["typo of key", "typo", "junk", "delete", "add", "known"])
    if isinstance(node, list) or (kind == "typo" and not isinstance(node[key], str)):
        kind = "junk"
    if kind == "typo" and node[key]:
        node[key] = typo(node[key], draw)
    elif kind == "typo of key":
        new = typo(key, draw)
        node[new] = node.pop(key)
        return [key, repr(new), repr(node[new]), "in_channels", "type"]
    elif kind == "delete":
        old = node.pop(key)
        return [str(key), repr(old), "in_channels", "type"]
    elif kind == "add":
        key = "".join(draw.choices(string.ascii_lowercase, k=6))
        node[key] = copy.deepcopy(draw.choice(JUNK))
    elif kind == "known":  # an argument that something there takes
        part = PARTS.get(path[0]) if path else None
        kind = node.get("type") if part else None
        target = part.get(kind) if part and kind in part.names() else NonLocalBlock
        key = draw.choice(list(parameters_of(target)))
        node[key] = copy.deepcopy(draw.choice(JUNK))
    else:
        node[key] = copy.deepcopy(draw.choice(JUNK))
    return [*map(str, (p for p in (*path, key) if isinstance(p, str))), repr(node[key])]


def outcome(spec):
    """("builds", 0) or (the error's message, seconds of CPU).

    That an operator is not square, which some filters need, shows at the first input.
    """
    start = time.process_time()
    try:
        block = build_block(**spec)
        start = time.process_time()
        x = torch.randn(2, block.in_channels or 16, 8, 8)
        assert block.eval()(x).shape == x.shape
    except (UnknownNameError, TypeError, ValueError) as error:
        return str(error), time.process_time() - start
    return "builds", 0.0


def test_every_edit_builds_or_is_one_error():
    draw, seconds, kinds = random.Random(0), [], Counter()
    for name in list_blocks():
        build_block(name, 16)  # what is cached at the first use
    for _ in range(EDITS):
        spec = valid_spec(draw)
        before = copy.deepcopy(spec)
        words = [word for _ in range(draw.choice([1, 1, 1, 2, 3])) for word in edit(spec, draw)]
        words += ["block="] if "name" in words else []  # what build_block calls a name's table
        spec = {key: value for key, value in spec.items() if key.isidentifier()}
        try:
            message, took = outcome(spec)
        except Exception as error:
            raise AssertionError(f"{before} -> {spec}: {error!r}") from error
        if message == "builds":
            kinds["builds"] += 1
            continue
        kinds["refused"] += 1
        seconds.append(took)
        said = f"{before} -> {spec}: {message}"
        assert "\n" not in message and len(message) < 1200, said
        assert any(w in message for w in ("llowed", "It takes", "needs the argument")), said
        assert any(word in message for word in words), said
    slow = sum(took > SECONDS for took in seconds)
    late = sorted(seconds)[int(0.99 * len(seconds))]
    print(f"{dict(kinds)}; seconds to an error: median {statistics.median(seconds):.4f}, "
          f"99 % {late:.4f}, {slow} over {SECONDS}")  # fmt: skip
    assert slow <= 0.001 * len(seconds) + 1
    assert kinds["refused"] > 0.4 * EDITS and kinds["builds"] > 0.05 * EDITS


def test_the_name_that_was_meant_is_suggested_first():
    draw, right, wrong = random.Random(0), 0, []
    tables = [BLOCKS.names(), AFFINITIES.names(), FILTERS.names()]
    tables += [[*parameters_of(NonLocalBlock)]]
    for names in tables:
        for name in names:
            for _ in range(count(10, 60)):
                meant = typo(name, draw)
                if meant in names:
                    continue
                with pytest.raises(UnknownNameError) as error:
                    choose("name", meant, names)
                first = f"Did you mean {name!r}" in str(error.value)
                right += first
                wrong += [] if first else [(meant, name)]
    share = right / (right + len(wrong))
    print(f"{right + len(wrong)} typos, {100 * share:.1f} % right at first; wrong: {wrong[:8]}")
    assert share >= 0.95
