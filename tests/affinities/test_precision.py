"""Graphs of features are not computed in the precision that autocast picks."""

import pytest
import torch
from torch import nn

from nonlocal_zoo.affinities.channel import Channel
from nonlocal_zoo.affinities.latent import Latent
from nonlocal_zoo.affinities.symmetric_gaussian import SymmetricGaussian
from nonlocal_zoo.signal import GraphSignal
from nonlocal_zoo.testing import assert_near


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


@pytest.mark.parametrize("size", [63, 700])
@pytest.mark.parametrize("scale", [1, 1e2, 1e3, 1e4])
def test_symmetric_scores_at_any_scale(size, scale):
    """S_ij = S_ji to the bit: D^(-1/2) exp(S) D^(-1/2) stays at most 1, and is that of float64."""
    affinity, x = SymmetricGaussian(64, 32), scale * torch.randn(1, size, 64)
    with torch.no_grad():
        scores = affinity.kernel(GraphSignal(x))
        scores = scores.query @ scores.key.mT
        found = affinity(GraphSignal(x)).to_dense()
        exact = affinity.double()(GraphSignal(x.double())).to_dense()
    assert torch.equal(scores, scores.mT)
    assert found.max() <= 1 + 2e-3  # scores of 10,000 are rounded to 1e-3
    assert_near(found, exact, 2e-3)
