"""Blocks inside a network that does not know of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ..blocks import build_block
from ..registry import check_arguments, choose

POSITIONS = ("end", "before_last")


class _After:
    """Forward hook: the host's output goes through its child ``name``.

    The child is looked up in the module that calls, so that copies (an EMA, deepcopy) run their
    own block.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, module: nn.Module, args: tuple, output: Tensor) -> Tensor:
        return getattr(module, self.name)(output)


class _Before(_After):
    """Forward pre-hook: the host's first input goes through its child ``name``."""

    def __call__(self, module: nn.Module, args: tuple) -> tuple:
        return (getattr(module, self.name)(args[0]), *args[1:])


def insert_block(
    model: nn.Module, stage: str, block: Mapping[str, Any] | str, position: str = "end"
) -> nn.Module:
    """Puts one block at the end of a stage, or before its last residual block.

    The block becomes a child of the stage's last residual block and acts through a hook there:
    existing state-dict keys keep their names, and pretrained weights load. Several blocks at one
    place act in the order of insertion.

    Args:
        model: any network; changed in place.
        stage: path of the stage, an nn.Sequential or nn.ModuleList of residual blocks:
            "layer3" in mmseg, mmdet and torchvision ResNets, "stages.2.blocks" in timm.
        block: name of a block, or its arguments for ``build_block``; ``in_channels`` is read off
            the stage unless given.
        position: "end" or "before_last".

    Returns:
        The block.

    Raises:
        ValueError: no such stage, or one that has no residual blocks.
    """
    choose("position", position, POSITIONS)
    host = _last_residual_block(model, stage)
    settings = {"name": block} if isinstance(block, str) else dict(block)
    settings.setdefault("in_channels", _channels(host, position))
    module = build_block(**settings)
    name = f"nonlocal_{position}"
    taken = [child for child, _ in host.named_children() if child.startswith(name)]
    name += f"_{len(taken) + 1}" if taken else ""
    host.add_module(name, module)
    if position == "end":
        host.register_forward_hook(_After(name))
    else:
        host.register_forward_pre_hook(_Before(name))
    return module


def insert_blocks(model: nn.Module, insert: Sequence[Mapping[str, Any]]) -> list[nn.Module]:
    """``insert_block`` for each entry: dict(stage=..., block=..., position=...).

    One with ``block=None`` marks a place that a child config may fill, and inserts nothing.
    """
    for entry in insert:
        check_arguments("an entry of insert", ("stage", "block", "position"), entry)
    return [insert_block(model, **entry) for entry in insert if entry["block"] is not None]


def _last_residual_block(model: nn.Module, stage: str) -> nn.Module:
    try:
        container = model.get_submodule(stage)
    except AttributeError:
        paths = [path for path, m in model.named_modules() if path and _is_stage(m)]
        raise ValueError(
            f"stage={stage!r} is not in {type(model).__name__}. Allowed: {paths}"
        ) from None
    if not _is_stage(container):
        inner = [
            f"{stage}.{path}" for path, m in container.named_modules() if path and _is_stage(m)
        ]
        raise ValueError(
            f"stage={stage!r} is a {type(container).__name__}, not a sequence of residual "
            f"blocks. Allowed below it: {inner}"
        )
    return container[-1]


def _is_stage(module: nn.Module) -> bool:
    """A sequence of residual blocks: of modules with convolutions that are no sequences."""
    if not isinstance(module, (nn.Sequential, nn.ModuleList)) or len(module) == 0:
        return False
    last = module[-1]
    return not isinstance(last, (nn.Sequential, nn.ModuleList)) and any(
        isinstance(m, nn.Conv2d) for m in last.modules()
    )


def _channels(host: nn.Module, position: str) -> int:
    convolutions = [m for m in host.modules() if isinstance(m, nn.Conv2d)]
    return convolutions[-1].out_channels if position == "end" else convolutions[0].in_channels
