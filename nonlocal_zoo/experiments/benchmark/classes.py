"""Published classes with a block's weights in them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ...blocks.parts import inner_width
from ...references import translate
from .cases import Case
from .peers import Contender, NoPeer, place_of


@dataclass(frozen=True)
class Published:
    """A class that a block is the equal of.

    Attributes:
        reference: its name in REFERENCES.
        module: where it is imported from.
        args: its arguments for a case.
        host: what its host makes of it: (module, x) -> y.
        untrainable: why there is no backward pass to compare with; "" where there is one.
        name: of the class, where that is not ``reference``.
        translated: arguments that the translation takes and the class does not.
    """

    reference: str
    module: str
    args: Callable[[Case], dict[str, Any]]
    host: Callable[[nn.Module, Tensor], Tensor] = lambda module, x: module(x)
    untrainable: str = ""
    name: str = ""
    translated: tuple[str, ...] = ()

    def contender(
        self, label: str, find: Callable[[str], Any], case: Case, block: nn.Module
    ) -> Contender:
        """The class with the weights of ``block``.

        Args:
            label: name of the contender.
            find: a module by name, or NoPeer.

        Raises:
            NoPeer: it cannot be trained, and is asked to be.
        """
        if case.training and self.untrainable:
            raise NoPeer(self.untrainable)
        args = self.args(case)
        weights = translate(self.reference, args).theirs(block.state_dict())
        made = {key: value for key, value in args.items() if key not in self.translated}
        module = getattr(find(self.module), self.name or self.reference)(**made)
        module.load_state_dict(weights)
        place = place_of(block)
        module = module.to(place.device, place.dtype).train(case.training)

        def on_meta() -> Callable[[Tensor], Tensor]:
            meta = copy.deepcopy(module).to("meta")
            return lambda x: self.host(meta, x)

        return Contender(label, lambda x: self.host(module, x), tuple(module.parameters()), on_meta)


def inner(case: Case) -> int:
    """Inner channels of a case's block."""
    settings = case.settings
    reduction, least = settings.get("reduction", 2), settings.get("least_inner_channels", 1)
    return inner_width(case.channels, reduction, settings.get("inner_channels"), least)
