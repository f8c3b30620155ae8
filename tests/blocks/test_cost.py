"""What a block costs: bytes and products, of a pass or of a pass with its gradient."""

import pytest

from nonlocal_zoo import build_block
from nonlocal_zoo.blocks.cost import block_cost

SHAPE = (2, 8, 6, 5)


@pytest.mark.parametrize("name", ["nl", "snl", "gc", "cgnl"])
def test_training(name):
    """The gradient reads and writes as much again, and takes up to twice the products."""
    block = build_block(name, 8).eval()
    once, training = block_cost(block, SHAPE), block_cost(block, SHAPE, training=True)
    assert once.parameters == training.parameters == sum(p.numel() for p in block.parameters())
    assert once.bytes == 4 * (2 * 2 * 8 * 30 + once.parameters)
    assert training.bytes == 2 * once.bytes
    assert 2 * once.multiply_adds <= training.multiply_adds <= 3 * once.multiply_adds


@pytest.mark.parametrize("mode", [True, False])
def test_it_does_not_matter_which_mode_the_block_is_in(mode):
    """One node of one image has no variance for a batch norm in training."""
    block = build_block("snl", 8).train(mode)
    assert block_cost(block, (1, 8, 1, 1)).multiply_adds > 0
    with pytest.raises(ValueError, match="more than 1 value"):
        block_cost(block, (1, 8, 1, 1), training=True)
    assert all(module.training == mode for module in block.modules())
