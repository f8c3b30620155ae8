"""What an affinity is: node features in, graph operator out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import nn

from ..operators import GraphOperator, Structure, require
from ..registry import choose
from ..signal import GraphSignal

NONNEGATIVE = Structure(nonnegative=True)


class Affinity(nn.Module, ABC):
    """A: features of the nodes -> graph operator. Subclasses give ``kernel``.

    Args:
        symmetrize: use (A + A') / 2.
        normalize: None, "sym" for D^(-1/2) A D^(-1/2), "rw" for D^(-1) A; after symmetrising.
        kernel_structure: what is known of every kernel. Non-negative entries unless said
            otherwise, so that degrees cannot cancel.

    Raises:
        ValueError: a normalisation of a kernel whose entries may be negative, or something that
            needs a square operator where keys are pooled.
    """

    formula: ClassVar[str] = ""  # of A_ij, for tables
    uses_grid: ClassVar[bool] = False  # whether the nodes must be those of an image, unpadded
    uses_places: ClassVar[bool] = False  # whether nodes must be somewhere: pos, edges or a grid
    nonnegative_with: ClassVar[str] = ""  # the argument that keeps entries from being negative
    width: int | None = None  # channels that features must have, where A acts on channels too

    def __init__(
        self,
        symmetrize: bool = False,
        normalize: str | None = None,
        kernel_structure: Structure = NONNEGATIVE,
    ) -> None:
        super().__init__()
        choose("normalize", normalize, [None, "sym", "rw"])
        if normalize and not kernel_structure.nonnegative:
            raise ValueError(
                f"normalize={normalize!r} needs an affinity with non-negative entries; "
                f"{type(self).__name__} has negative ones. Allowed: None"
            )
        if symmetrize or normalize == "sym":
            require(kernel_structure, ("square",), "symmetrize", type(self).__name__)
        self.symmetrize, self.normalize = symmetrize, normalize
        self.kernel_structure = kernel_structure

    @property
    def structure(self) -> Structure:
        """What is known of every operator of this affinity, whatever the size of the picture."""
        known = self.kernel_structure
        return (known.symmetrized() if self.symmetrize else known).normalized(self.normalize)

    @abstractmethod
    def kernel(self, signal: GraphSignal) -> GraphOperator:
        """The operator before it is symmetrised and normalised."""

    def forward(self, signal: GraphSignal) -> GraphOperator:
        if self.uses_grid and (signal.grid is None or signal.mask is not None):
            raise ValueError(
                f"{type(self).__name__} needs the nodes of an image; grid={signal.grid}, "
                f"mask {'is' if signal.mask is not None else 'not'} given; allowed: a grid, no mask"
            )
        operator = self.kernel(signal)
        if self.symmetrize:
            operator = operator.symmetrize()
        return operator.normalize(self.normalize) if self.normalize else operator

    def extra_repr(self) -> str:
        return f"symmetrize={self.symmetrize}, normalize={self.normalize!r}"
