"""Where in a network an inserted block lives, and what calls it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from ..registry import choose, near
from .layout import Layout

POSITIONS = ("end", "before_last")
CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
# That of a ModuleList and a ModuleDict is the one of a module that has none.
NO_FORWARD = (nn.Sequential.forward, nn.Module.forward)


@dataclass(frozen=True, eq=False)
class Hook:
    """Of a module: what it gives, or gets, goes through its descendant ``path``.

    The block is looked up in the module that calls, so that copies (an EMA, deepcopy, replicas)
    run their own.
    """

    path: str
    layout: Layout

    def block_of(self, module: nn.Module) -> nn.Module:
        """The block that it calls in ``module``."""
        return module.get_submodule(self.path)

    def remove(self, module: nn.Module) -> None:
        """Takes itself and the block out of ``module``."""
        for hooks in (module._forward_hooks, module._forward_pre_hooks):
            for key in [key for key, hook in hooks.items() if hook is self]:
                del hooks[key]
        parent, _, name = self.path.rpartition(".")
        delattr(module.get_submodule(parent), name)


class After(Hook):
    """Forward hook."""

    def __call__(self, module: nn.Module, args: tuple, output: Any) -> Any:
        return self.layout.apply(self.block_of(module), output)


class Before(Hook):
    """Forward pre-hook, on the first input."""

    def __call__(self, module: nn.Module, args: tuple) -> tuple:
        return (self.layout.apply(self.block_of(module), args[0]), *args[1:])


@dataclass(frozen=True, eq=False)
class Place:
    """Where a block acts, and what holds it.

    Attributes:
        path: of the module that is hooked.
        module: that module.
        holder: path, below it, of the module that gets the block as its child: the module itself,
            unless it is a container, which may run through its children.
        before: whether the block acts on what the module gets.
        name: of the child, without a number.
    """

    path: str
    module: nn.Module
    holder: str
    before: bool
    name: str

    def enter(self, block: nn.Module, layout: Layout) -> None:
        """Puts the block there."""
        parent = self.module.get_submodule(self.holder)
        taken = {name for name, _ in parent.named_children()}
        names = [self.name, *(f"{self.name}_{k}" for k in range(2, len(taken) + 2))]
        name = next(name for name in names if name not in taken)
        parent.add_module(name, block)
        path = f"{self.holder}.{name}" if self.holder else name
        if self.before:
            self.module.register_forward_pre_hook(Before(path, layout))
        else:
            self.module.register_forward_hook(After(path, layout))


def find_place(model: nn.Module, stage: str, position: str | int) -> Place:
    """The place that ``insert_block`` means.

    Raises:
        ValueError: no such module, or one in which there is no place.
        UnknownNameError: no such position.
    """
    module = _module(model, stage)
    if position == "end":
        path, module = _last(stage, module)
        return Place(path, module, _holder(stage, module), False, "nonlocal_end")
    if not isinstance(module, (nn.Sequential, nn.ModuleList)):
        choose("position", position, ["end"])
    choose("position", position, [*POSITIONS, *range(len(module))])
    index = len(module) - 1 if position == "before_last" else position
    name = "nonlocal_before_last" if position == "before_last" else "nonlocal_before"
    path = f"{stage}.{index}".removeprefix(".")
    item = module[index]
    return Place(path, item, _holder(stage, item), True, name)


def hooks_below(model: nn.Module) -> Iterator[tuple[nn.Module, Hook]]:
    """All that were put in, with the modules that they are on."""
    for module in model.modules():
        for hooks in (module._forward_pre_hooks, module._forward_hooks):
            yield from ((module, hook) for hook in hooks.values() if isinstance(hook, Hook))


def _module(model: nn.Module, stage: str) -> nn.Module:
    module = model
    for depth, name in enumerate(stage.split(".") if stage else []):
        children = {key: child for key, child in module._modules.items() if child is not None}
        if name not in children:
            above = ".".join(stage.split(".")[:depth])
            paths = [f"{above}.{child}".removeprefix(".") for child in children]
            every = [path for path, _ in model.named_modules() if path]
            raise ValueError(
                f"stage={stage!r} is not in {type(model).__name__}.{near(stage, every)} Allowed"
                f"{f' below {above!r}' if above else ''}: {paths}, or a path below one of them"
            )
        module = children[name]
    return module


def _last(path: str, module: nn.Module) -> tuple[str, nn.Module]:
    """The module whose output is that of ``module``: lists and sequences end in their last."""
    while isinstance(module, CONTAINERS) and type(module).forward in NO_FORWARD:
        _refuse_empty(path, module)
        if isinstance(module, nn.ModuleDict):
            raise ValueError(
                f"stage={path!r} is a ModuleDict, whose entries have no order; allowed: one of "
                f"{[f'{path}.{key}' for key in module]}"
            )
        path = f"{path}.{list(module._modules)[-1]}".removeprefix(".")
        module = module[-1]
    return path, module


def _holder(path: str, module: nn.Module) -> str:
    """Path below ``module`` of its last descendant that is no container."""
    below: list[str] = []
    while isinstance(module, CONTAINERS):
        _refuse_empty(path, module)
        below.append(list(module._modules)[-1])
        module = module._modules[below[-1]]  # type: ignore[assignment]
    return ".".join(below)


def _refuse_empty(path: str, module: nn.Module) -> None:
    if not module._modules:
        raise ValueError(
            f"stage={path!r} is an empty {type(module).__name__}; allowed: the module before it"
        )
