"""What arrives at a place of a network, seen by running it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .layout import LAYOUTS, Layout
from .place import Place

BATCH = 2
# Side lengths that are tried, by the number of axes, until the network has taken two. Some take
# one alone, which most often is 224.
SIDES = {1: (64, 96, 1024, 1536), 2: (64, 96, 224, 256, 32), 3: (16, 32, 64)}
CONVOLUTIONS = {nn.Conv1d: 1, nn.Conv2d: 2, nn.Conv3d: 3}
EITHER = "layout='channels_first' or layout='channels_last'"


class _Reached(Exception):
    """The network has come to the place; the rest of it need not run."""


class _NotCalled(ValueError):
    """The network ran to its end, and a block at the place would never be heard."""


def read_layout(
    model: nn.Module, place: Place, layout: Layout, example: Any, label: str
) -> tuple[Layout, int]:
    """The layout with its order, and C, of what arrives at the place.

    Args:
        layout: as far as it is given.
        example: the argument of ``model``, a tuple of all, or None to make some.
        label: for errors.

    Raises:
        ValueError: the place is not reached, or what is there is no features of one width.
    """
    if example is not None:
        given = example if isinstance(example, tuple) else (example,)
        seen = [_arriving(model, place, given)]
    else:
        seen = _arriving_twice(model, place, label)
    shapes = [_shape(layout, there, label) for there in seen]
    if example is None and shapes[0][0] != BATCH:
        raise ValueError(
            f"{label} gives {shapes[0]} for a batch of {BATCH}; allowed: a module whose first axis "
            f"is that of the batch, or in_channels in the block's arguments and {EITHER}"
        )
    order = layout.order or _order(shapes, place.module, label)
    tokens = order == "channels_last" and len(shapes[0]) == 3
    if not tokens and (layout.grid is not None or layout.class_tokens):
        raise ValueError(
            f"{label}: grid={layout.grid}, class_tokens={layout.class_tokens} are for tokens "
            f"(B, N, C), and there is {shapes[0]}, {order}"
        )
    channels = shapes[0][1 if order == "channels_first" else -1]
    return dataclasses.replace(layout, order=order, tokens=tokens), channels


def _arriving_twice(model: nn.Module, place: Place, label: str) -> list[Any]:
    """At two sizes, or one where the network takes but one.

    What runs is the network, or, where it takes other arguments than a picture, the first part
    of it on the way to the place that does not.
    """
    reasons = []
    names = place.path.split(".") if place.path else []
    for depth in range(len(names) + 1):
        part = model.get_submodule(".".join(names[:depth]))
        seen: list[Any] = []
        for x in _inputs(part):
            try:
                seen.append(_arriving(part, place, (x,)))
            except _NotCalled:
                raise
            except Exception as error:  # whatever a network says of an input that it does not take
                reasons.append(f"{type(error).__name__}: {error}".splitlines()[0])
            if len(seen) == 2:
                break
        if seen:
            return seen
    reason = reasons[0] if reasons else "it has no layer that shows how wide its input is"
    raise ValueError(
        f"{label}: what arrives there cannot be read off ({reason}); allowed: in_channels in the "
        "block's arguments, or example=, an input of the network"
    )


def _inputs(part: nn.Module) -> Iterator[Tensor]:
    """Zeros as wide as the first layer takes them, of several sizes."""
    for layer in part.modules():
        weight = getattr(layer, "weight", None)
        if not isinstance(weight, Tensor):
            continue
        for kind, axes in CONVOLUTIONS.items():
            if isinstance(layer, kind):
                for side in SIDES[axes]:
                    yield weight.new_zeros(BATCH, layer.in_channels, *[side] * axes)
                return
        if isinstance(layer, (nn.Linear, nn.LayerNorm)):
            for length in SIDES[1]:
                yield weight.new_zeros(BATCH, length, weight.shape[-1])
            return


def _arriving(model: nn.Module, place: Place, args: tuple) -> Any:
    """What the place gives, or gets, when ``model`` is called.

    Raises:
        ValueError: it is not called at all.
    """
    found: list[Any] = []

    def before(module: nn.Module, inputs: tuple) -> None:
        found.append(inputs[0])
        raise _Reached

    def after(module: nn.Module, inputs: tuple, output: Any) -> None:
        found.append(output)
        raise _Reached

    if place.before:
        handle = place.module.register_forward_pre_hook(before)
    else:
        handle = place.module.register_forward_hook(after)
    try:
        with _evaluating(model), torch.no_grad():
            model(*args)
    except _Reached:
        return found[0]
    finally:
        handle.remove()
    raise _NotCalled(
        f"stage={place.path!r} is never called by its network: a block there would never be heard; "
        "allowed: a module that is, or in_channels where another input reaches it"
    )


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode without the model's own ``train``, which may freeze or set other things."""
    modes = [(module, module.training) for module in model.modules()]
    for module, _ in modes:
        module.training = False
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _shape(layout: Layout, there: Any, label: str) -> tuple[int, ...]:
    if layout.output is None and isinstance(there, (tuple, list, dict)):
        items = there.items() if isinstance(there, dict) else enumerate(there)
        shapes = {key: tuple(x.shape) for key, x in items if isinstance(x, Tensor)}
        raise ValueError(f"{label} gives a {type(there).__name__}; allowed: output=, of {shapes}")
    try:
        x = layout.pick(there)
    except (LookupError, TypeError):
        x = None
    if not isinstance(x, Tensor) or x.dim() < 3:
        what = tuple(x.shape) if isinstance(x, Tensor) else f"a {type(there).__name__}"
        raise ValueError(
            f"{label}, output={layout.output!r}: there is {what}; allowed: features "
            "(B, C, *spatial) or tokens (B, N, C)"
        )
    return tuple(x.shape)


def _order(shapes: list[tuple[int, ...]], module: nn.Module, label: str) -> str:
    """Which axis has the channels: the one that is the same at two sizes.

    Where that is not one, because the network takes one size alone: the one that is as long as a
    vector of weights (a bias, a norm) in the module.
    """
    first = shapes[0]
    same = {axis for axis in (1, -1) if all(shape[axis] == first[axis] for shape in shapes)}
    if len(shapes) == 1 or len(same) != 1:
        widths = {len(p) for p in module.parameters() if p.dim() == 1}
        same = {axis for axis in (1, -1) if first[axis] in widths}
    if len(same) != 1:
        raise ValueError(
            f"{label} gives {first}, which does not show the axis of the channels; allowed: "
            f"{EITHER}"
        )
    return LAYOUTS[0] if same == {1} else LAYOUTS[1]
