"""Where a mixture starts."""

import pytest
import torch

from nonlocal_zoo.registry import AFFINITIES
from nonlocal_zoo.signal import GraphSignal
from nonlocal_zoo.testing import assert_near


@pytest.mark.parametrize("convex", [True, False])
@pytest.mark.parametrize("copies", [1, 2])
def test_the_mean_of_its_kernels(convex, copies):
    config = dict(type="mixture", kernels=["relu_dot", "gaussian"], copies=copies, convex=convex)
    affinity = AFFINITIES.build(config, channels=6, inner_channels=4).double()
    signal = GraphSignal(torch.randn(2, 9, 6).double())
    kernels = [kernel(signal).to_dense() for kernel in affinity.kernels]
    assert len(kernels) == 2 * copies
    assert_near(affinity(signal).to_dense(), torch.stack(kernels).mean(0), 1e-6)
    affinity.reset_parameters()
    assert_near(affinity(signal).to_dense(), torch.stack(kernels).mean(0), 1e-6)
