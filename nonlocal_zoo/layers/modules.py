"""torch's list of modules, which a type checker sees with the type of its items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from torch import nn

Item = TypeVar("Item", bound=nn.Module)

if TYPE_CHECKING:

    class ModuleList(nn.ModuleList, Sequence[Item]):
        def __init__(self, modules: Iterable[Item]) -> None: ...
        def __iter__(self) -> Iterator[Item]: ...
        def __getitem__(self, index: int) -> Item: ...

else:
    ModuleList = nn.ModuleList
