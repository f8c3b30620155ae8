"""Graphs of features are not computed in the precision that autocast picks."""

import pytest
import torch
from torch import nn

from nonlocal_zoo.affinities.channel import Channel
from nonlocal_zoo.affinities.latent import Latent
from nonlocal_zoo.signal import GraphSignal


class Given(nn.Module):
    """In place of a projection, whose precision is autocast's."""

    def forward(self, x, mask):
        return x.relu()


def latent():
    affinity = Latent(6, dim=6, shared=True)
    affinity.send = Given()
    return affinity


@pytest.mark.parametrize("make", [Channel, latent])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_casts_nothing(make, dtype):
    affinity, signal = make(), GraphSignal(torch.randn(2, 9, 6))
    plain = affinity(signal).to_dense()
    with torch.autocast("cpu", dtype):
        under = affinity(signal).to_dense()
    assert under.dtype == torch.float32 and torch.equal(plain, under)
