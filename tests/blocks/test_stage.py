"""A stage of several affinities, put together by hand."""

import pytest
import torch

from nonlocal_zoo import build_block
from nonlocal_zoo.testing import assert_near, randomize_


@pytest.mark.parametrize("residual", [True, False])
def test_the_gate_reads_the_first_affinity(residual):
    """x sigmoid(h(A_1) z) + g_1(A_1) z + g_2(A_2) z."""
    block = build_block(affinity=["relu_dot", "gaussian"], gate="adjacency", in_channels=8,
                        residual=residual)  # fmt: skip
    block = randomize_(block.double()).eval()
    x = torch.randn(2, 8, 3, 4).double()
    nodes, (stage,) = x.flatten(2).mT, block.units
    first, second = (operator.to_dense() for operator in block.operators(x))
    z = stage.values(nodes)
    layers = [f.weights[0] for f in (*stage.filters, stage.gate)]
    y = layers[0](first @ z) + layers[1](second @ z)
    if residual:
        y = y + nodes * layers[2](first @ z).sigmoid()
    assert_near(block(x), y.mT.unflatten(2, (3, 4)))
