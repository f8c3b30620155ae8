"""torch.compile's default backend: the output, gradients and buffers of eager, for every block.

Its kernels are written anew for each graph and shape, and have given wrong gradients in silence:
docs/errata.md. `make trust` adds other shapes, and graphs for any size.
"""

import copy

import pytest
import torch
from counts import count
from tables import BLOCK_OVERRIDES

from nonlocal_zoo import build_block, list_blocks
from nonlocal_zoo.testing.compare import assert_near, randomize_

SHAPES = [(1, 32, 12, 10), (2, 32, 12, 10), (1, 32, 6, 5), (2, 32, 6, 5)]
CASES = [(shape, dynamic) for shape in SHAPES for dynamic in (False, True)]
CASES = CASES[: count(1, len(CASES))]


@pytest.fixture(autouse=True)
def _nothing_is_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def results(block, call, x):
    x = x.clone().requires_grad_()
    y = call(x)
    (y * torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)).sum().backward()
    gradients = {key: p.grad for key, p in block.named_parameters() if p.grad is not None}
    return {"y": y, "x": x.grad, **gradients, **dict(block.named_buffers())}


@pytest.mark.trust
@pytest.mark.parametrize("name", list_blocks())
@pytest.mark.parametrize(("shape", "dynamic"), CASES, ids=str)
def test_training(name, shape, dynamic):
    settings = BLOCK_OVERRIDES.get(name, {})
    block = randomize_(build_block(name, shape[1], **settings), 0.3).double().train()
    other, x = copy.deepcopy(block), torch.randn(shape, dtype=torch.float64)
    compiled = torch.compile(other, fullgraph=True, dynamic=dynamic)
    plain, found = results(block, block, x), results(other, compiled, x)
    assert plain.keys() == found.keys()
    for key, value in plain.items():
        # Of what a softmax does not see, the bias of its queries, there are gradients of zero.
        floor = 1e-9 * plain["x"].norm()
        if value.is_floating_point() and value.norm() > floor:
            assert_near(found[key], value, 1e-8, key)
