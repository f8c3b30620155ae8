"""The nearest nodes of graphs that have fewer real nodes than are asked for."""

import torch

from nonlocal_zoo.registry import AFFINITIES
from nonlocal_zoo.signal import GraphSignal
from nonlocal_zoo.testing import assert_near


def test_padding_does_not_fill_up():
    """Of three real nodes and k = 5 each hears the three, as it does without the others."""
    affinity = AFFINITIES.build("nearest", channels=4, inner_channels=3, neighbours=5)
    x, mask = torch.randn(1, 8, 4), (torch.arange(8) < 3).unsqueeze(0)
    matrix = affinity(GraphSignal(x, mask=mask)).to_dense()
    assert (matrix[:, :, 3:] == 0).all() and (matrix[:, 3:] == 0).all()
    assert_near(matrix[:, :3, :3], affinity(GraphSignal(x[:, :3])).to_dense(), 1e-6)
