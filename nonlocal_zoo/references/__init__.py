"""Published implementations in our terms: their arguments and their weights, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..blocks import NonLocalBlock
from ..registry import REFERENCES
from . import latentgnn, mmcv, mmseg, snl, snl_zoo  # noqa: F401
from .base import Translation
from .network import Conversion, Place, convert_network

__all__ = ["Conversion", "Place", "convert_network", "from_reference", "translate"]


def translate(reference: str, args: Mapping[str, Any]) -> Translation:
    """A published class with its arguments, in our terms: settings, and weights both ways.

    Args:
        reference: its name in ``REFERENCES``: NonLocal2d, SNLStage, LatentGNNV1, ...
        args: its constructor's arguments.

    Raises:
        UnknownNameError: no such reference, or a value that it does not take.
        TypeError: no such argument, or one that is missing.
    """
    return REFERENCES.build(dict(args, type=reference))


def from_reference(
    reference: str, args: Mapping[str, Any], state_dict: Mapping[str, Tensor]
) -> NonLocalBlock:
    """Our block that gives the same answer as a published implementation.

    Args:
        reference, args: as in ``translate``.
        state_dict: its weights. The block is in their dtype.

    Raises:
        UnknownNameError, TypeError: as ``translate``.
        ValueError: weights that are missing, left over, unknown or of another shape, by name.
    """
    return translate(reference, args).block(state_dict)
