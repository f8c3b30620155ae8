"""What holds for every block, whatever the shape, dtype, layout and options."""

import copy

import pytest
import torch
from counts import count
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tables import BLOCK_OVERRIDES

from nonlocal_zoo import build_block, list_blocks
from nonlocal_zoo.testing import randomize_

pytestmark = pytest.mark.trust

CHANNELS = 8
FEW = settings(max_examples=count(6, 60), derandomize=True, deadline=None, database=None,
               suppress_health_check=list(HealthCheck))  # fmt: skip
SIDES = st.lists(st.integers(1, 9), min_size=1, max_size=3)
OPTIONS = st.fixed_dictionaries({}, optional={
    "stages": st.integers(1, 2), "reduction": st.sampled_from([1, 2, 4, 100]),
    "norm": st.sampled_from([None, "batch", "group", "layer", {"type": "group", "groups": 3}]),
    "activation": st.sampled_from([None, "relu"]), "bias": st.booleans(),
    "residual": st.booleans(), "init": st.sampled_from(["default", "normal", "fan_out"]),
    "recurrence": st.integers(1, 2),
})  # fmt: skip
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3, torch.bfloat16: 0.2}


def build(name, options):
    """The block, or nothing for options that it refuses with what is allowed."""
    try:
        return build_block(name, CHANNELS, **{**BLOCK_OVERRIDES.get(name, {}), **options})
    except ValueError as error:
        assert "llowed" in str(error) or "residual=False" in str(error), error
        return None


def laid_out(x, layout):
    """The same numbers with other strides."""
    if layout == "last":
        return x.movedim(1, -1).contiguous().movedim(-1, 1)
    if layout == "slice":
        wide = torch.randn(x.shape[0] + 1, 2 * x.shape[1], *x.shape[2:]).to(x.dtype)
        wide[1:, ::2] = x
        return wide[1:, ::2]
    if layout == "transposed":
        return x.transpose(-1, -2).contiguous().transpose(-1, -2)
    return x.expand(x.shape)


def near(a, b, dtype):
    scale = max(b.abs().max().item(), 1e-6) if b.numel() else 1.0
    return (a - b).abs().max().item() <= TOLERANCE[dtype] * scale if b.numel() else True


@pytest.mark.parametrize("name", list_blocks())
@FEW
@given(data=st.data(), sides=SIDES, options=OPTIONS, batch=st.integers(0, 3),
       dtype=st.sampled_from(list(TOLERANCE)), scale=st.sampled_from([1e-3, 1.0, 30.0, 1000.0]),
       layout=st.sampled_from(["last", "slice", "transposed", "same"]),
       training=st.booleans())  # fmt: skip
def test_block(name, data, sides, options, batch, dtype, scale, layout, training):
    torch.manual_seed(0)
    block = build(name, options)
    assume(block is not None)
    block = randomize_(block, 0.1).to(dtype).train(training)
    x = (torch.randn(batch, CHANNELS, *sides) * scale).to(dtype)
    before = x.clone()
    try:
        y = copy.deepcopy(block)(x)
    except ValueError as error:  # one value to normalise, pools of a small grid, grids for cc
        assert "llowed" in str(error) or "more than 1 value" in str(error), error
        return
    assert y.shape == x.shape and y.dtype == dtype
    assert torch.equal(x, before), "the input was changed"
    assert y.isfinite().all()
    again = copy.deepcopy(block)(laid_out(x, layout).requires_grad_())
    same = dtype != torch.bfloat16 and scale <= 1  # beyond, a softmax is a maximum, and ties turn
    if same and name != "nearest":
        assert near(again, y, dtype), f"{layout}: {(again - y).abs().max()}"
    again.float().square().mean().sqrt().backward() if batch else None
    if batch and not training and same:
        i = data.draw(st.integers(0, batch - 1))
        alone = block(x[i : i + 1])
        assert near(alone, y[i : i + 1], dtype), "an image depends on its neighbours in the batch"
    if batch:
        bad = x.clone()
        bad[0, 0] = torch.nan
        assert copy.deepcopy(block)(bad)[0].isnan().any(), "a NaN was lost"
