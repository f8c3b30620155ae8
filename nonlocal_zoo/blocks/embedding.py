"""Features that affinity and values share."""

from __future__ import annotations

from torch import Tensor, nn

from ..layers import Projection, unit_length
from ..precision import cast
from ..signal import GraphSignal


class UnitEmbedding(nn.Module):
    """x -> bn(x W) / ||bn(x W)||_2, one W for senders and one for receivers if ``pair``.

    Args:
        in_channels, out_channels: of W.
        pair: receivers have their own weights; otherwise they are the senders' features.

    Source: lib/latentgnn_v1.py, ``down_channel_v2l`` and ``down_channel_l2v`` ("asymmetric"),
    ``down_channel`` ("symmetric").
    """

    def __init__(self, in_channels: int, out_channels: int, pair: bool) -> None:
        super().__init__()
        self.send = Projection(in_channels, out_channels, bias=False, norm="batch")
        self.receive = None
        if pair:
            self.receive = Projection(in_channels, out_channels, bias=False, norm="batch")

    def forward(self, signal: GraphSignal) -> GraphSignal:
        send = unit(self.send(signal.x, signal.mask))
        if self.receive is None:
            return signal.with_x(send)
        return signal.with_x(send, unit(self.receive(signal.receivers, signal.mask)))


def unit(x: Tensor) -> Tensor:
    """Rows of length one, in the dtype of ``x``."""
    return cast(unit_length(x, dim=2), x.dtype)


EMBEDDINGS = {"unit": False, "unit_pair": True}  # name -> pair
