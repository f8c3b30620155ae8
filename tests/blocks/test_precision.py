"""Half precision: no worse than three times what dense code in the same precision loses."""

import math
import statistics

import pytest
import torch
from tables import BLOCK_OVERRIDES, block_settings

from nonlocal_zoo import build_block, formulas, list_blocks
from nonlocal_zoo.testing import randomize_

# A rectifier that flips at zero moves a gradient tenfold, in up to half of the seeds, ours and the
# formula's alike. The geometric mean over seeds takes part of each; a median is of one side or the
# other.
SEEDS = 9


def distance(y, exact):
    """Relative L2 distance."""
    return ((y.double() - exact).norm() / exact.norm()).item()


def cast(state, dtype):
    return {k: v.to(dtype) if v.is_floating_point() else v for k, v in state.items()}


def run(function, x, weight):
    """Output, and gradient of the input."""
    x = x.clone().requires_grad_()
    y = function(x)
    return y.detach(), torch.autograd.grad((y * weight.to(y.dtype)).sum(), x)[0]


def errors(name, dtype, autocast, seed):
    """Of our block and of the dense formula in ``dtype``, against the formula in float64."""
    torch.manual_seed(seed)
    settings = block_settings(name)
    block = build_block(name, 16, **BLOCK_OVERRIDES.get(name, {}))
    block = randomize_(block, 0.2).eval()
    x, weight = torch.randn(2, 16, 13, 11).to(dtype), torch.randn(2, 16, 13, 11)
    state = cast(block.state_dict(), torch.float32 if autocast else dtype)
    block.to(torch.float32 if autocast else dtype).load_state_dict(state)

    def dense(dtype):
        return run(
            lambda x: formulas.block(settings, cast(state, dtype), x, False), x.to(dtype), weight
        )

    def ours(x):
        with torch.autocast("cpu", dtype=dtype, enabled=autocast):
            return block(x)

    exact = dense(torch.float64)
    for mine, theirs, right in zip(run(ours, x, weight), dense(dtype), exact, strict=True):
        worst = distance(theirs, right)
        yield distance(mine, right), math.inf if math.isnan(worst) else worst


# torch inverts no matrix in half precision, so that there is no dense code to compare these with.
INVERTED = ("snl_arma", "snl_cayley")


@pytest.mark.parametrize("name", [name for name in list_blocks() if name not in INVERTED])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("autocast", [False, True])
def test_no_worse_than_dense_code(name, dtype, autocast):
    seeds = [list(errors(name, dtype, autocast, seed)) for seed in range(SEEDS)]
    for what, pairs in zip(("output", "gradient"), zip(*seeds, strict=True), strict=True):
        ratios = [ours / theirs for ours, theirs in pairs if math.isfinite(theirs)]
        # Where dense code overflows each time there is nothing to be as good as.
        worse = statistics.geometric_mean(ratios) if ratios else 0
        assert worse <= 3, f"{what}: {worse:.2g} times the error of dense code"
