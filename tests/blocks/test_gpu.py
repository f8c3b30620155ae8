"""What a GPU would do, without one: see tests/support/gpu_stand_in.py."""

import copy

import pytest
import torch
from counts import count
from gpu_stand_in import DTYPES, StandIn, pass_of, takes_efficient, takes_flash
from packaging.version import Version
from tables import BLOCK_OVERRIDES
from torch.nn import functional as F

from nonlocal_zoo import build_block, kernels, list_blocks, operators
from nonlocal_zoo.functions.krylov import bicgstab, conjugate_gradients
from nonlocal_zoo.kernels import fused_cuda
from nonlocal_zoo.testing import assert_near, randomize_

OLD = pytest.mark.skipif(
    Version(torch.__version__).release < (2, 13),
    reason="torch 2.6 makes the zeros of a sort's gradient where the stand-in does not see it",
)
every_block = pytest.mark.parametrize(
    "name", [pytest.param(n, marks=OLD) if n == "nl_concat" else n for n in list_blocks()]
)


def make(name):
    return randomize_(build_block(name, 16, **BLOCK_OVERRIDES.get(name, {})), 0.3)


def run(block, x):
    x = x.requires_grad_()
    y = block(x)
    y.square().sum().backward()
    return [y, x.grad, *(p.grad for p in block.parameters() if p.grad is not None)]


@every_block
@pytest.mark.parametrize("training", [False, True])
def test_a_pass(name, training):
    """One device, nothing to wait for, nothing copied from the host, and the CPU's numbers."""
    block, x = make(name).train(training), torch.randn(2, 16, 6, 5)
    expected = run(copy.deepcopy(block), x.clone())
    with StandIn() as gpu:
        there = gpu.block(block)
        found = run(there, gpu.tensor(x))
        assert all(t.is_cuda for t in found)
        assert (gpu.waits, gpu.copies) == ([], [])
    scale = max(b.abs().max() for b in expected)  # some gradients are zero but for rounding
    for a, b in zip(found, expected, strict=True):
        assert (a.inner - b).abs().max() <= 1e-5 * scale


SIZES = [(97, 64), (97, 512), (500, 64), (500, 512)]


@every_block
@pytest.mark.parametrize(("side", "channels"), SIZES[: count(3, 4)])
def test_nothing_square(name, side, channels):
    """No N x N tensor, and no attention that torch would form one for, forward and backward."""
    for dtype in DTYPES:
        gpu = pass_of(name, dtype, channels, side)
        assert "math" not in gpu.attention, dtype
        nodes = side**2
        assert gpu.largest < max(nodes**2 / 4, 2**23), f"{dtype}: {gpu.largest} numbers"
        assert not gpu.waits


@pytest.mark.parametrize("width", [1, 7, 32, 33, 100, 255])
@pytest.mark.parametrize("filter_", ["polynomial", "laplacian"])
@pytest.mark.parametrize(
    "affinity",
    ["embedded_gaussian", "symmetric_gaussian", "gaussian", "disentangled",
     dict(type="embedded_gaussian", symmetrize=True, normalize="sym")],
    ids=str,
)  # fmt: skip
def test_widths_that_kernels_do_not_take(affinity, filter_, width):
    """Those are padded, with a bias among the keys and without."""
    if filter_ == "laplacian" and affinity in ("gaussian", "disentangled"):
        return
    for dtype in DTYPES:
        parts = dict(affinity=affinity, graph_filter=filter_, inner_channels=width)
        block = build_block(None, width, **parts)
        with StandIn(shapes_only=True) as gpu:
            x = gpu.tensor(torch.empty(1, width, 50, 50, dtype=dtype, device="meta"))
            gpu.block(block.to(dtype))(x.requires_grad_()).sum().backward()
        assert gpu.attention and "math" not in gpu.attention
        assert gpu.largest < 2**23


def test_where_no_kernel_fits():
    """float64: blocks of queries, with the formula's numbers."""
    query, key, value = (torch.randn(1, 300, 4).double() for _ in range(3))
    expected = (query @ key.mT).softmax(2) @ value
    with StandIn() as gpu, kernels.scores_at_once(300 * 20):
        y = kernels.attention(*map(gpu.tensor, (query, key, value)))
        assert not gpu.attention and gpu.largest <= 300 * 20
    assert_near(y.inner, expected)


def test_the_user_may_forbid_a_kernel(monkeypatch):
    """torch.backends.cuda.enable_mem_efficient_sdp(False), say: then it is not taken."""
    x = torch.randn(1, 300, 8)
    with StandIn() as gpu, kernels.scores_at_once(300 * 20):
        monkeypatch.setattr(fused_cuda, "can_use_efficient_attention", lambda params: False)
        kernels.attention(*(gpu.tensor(x) for _ in range(3)))
        assert not gpu.attention and gpu.largest <= 300 * 20


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("widths", [(8, 8), (64, 512), (9, 9), (256, 256), (60, 100)], ids=str)
def test_the_rule(dtype, widths):
    """Of torch's selection, on what we hand to it: neither of the two is padded far."""
    width, channels = widths
    padded, broad = fused_cuda.widths(dtype, width, channels, False)
    q, k, v = (torch.empty(1, 1, 5, w, dtype=dtype) for w in (padded, padded, broad))
    params = torch.backends.cuda.SDPAParams(q, k, v, None, 0.0, False, False)
    half, equal = dtype != torch.float32, padded == broad
    assert takes_flash(params) == (half and equal)
    assert takes_efficient(params)
    assert padded < 2 * width + 8 and broad < 2 * channels + 8
    assert half or (padded < width + 8 and broad < channels + 8)


def test_half_precision_reaches_the_kernel(monkeypatch):
    """Under autocast too: a softmax takes averages, which stay in float16's range."""
    seen = []

    def spy(query, key, value, mask=None):
        seen.append({query.dtype, key.dtype, value.dtype})
        return F.scaled_dot_product_attention(query, key, value, scale=1.0)

    monkeypatch.setattr(operators.softmax, "attention", spy)
    for name in ("nl", "dnl", "ns", "anl", "snl_squared_laplacian"):
        for dtype in (torch.float16, torch.bfloat16):
            seen.clear()
            block = make(name).eval()
            with torch.no_grad(), torch.autocast("cpu", dtype=dtype):
                block(torch.randn(1, 16, 6, 5))
            assert seen and set.union(*seen) == {dtype}, name


def test_masks():
    """Of padded nodes, in a kernel that takes them."""
    query, key, value = (torch.randn(2, n, 5) for n in (7, 6, 6))
    mask = torch.arange(6) < torch.tensor([[6], [2]])
    expected = kernels.attention(query, key, value, mask)
    with StandIn() as gpu:
        y = kernels.attention(*map(gpu.tensor, (query, key, value, mask)))
    assert gpu.attention == ["memory-efficient"]
    assert_near(y.inner, expected, 1e-5)


@pytest.mark.parametrize("method", [conjugate_gradients, bicgstab])
def test_solvers_ask_now_and_then(method):
    """Not at each step; and what is solved stays as it is until they do."""
    a = torch.randn(12, 12).double() / 12
    matrix, rhs = torch.eye(12).double() + a @ a.mT, torch.randn(1, 12, 3).double()
    expected, _ = method(lambda x: matrix @ x, rhs, 1e-9, 40)
    with StandIn() as gpu:
        there = gpu.tensor(matrix)
        x, solved = method(lambda x: there @ x, gpu.tensor(rhs), 1e-9, 40)
    assert solved and len(gpu.waits) <= 3
    assert_near(x.inner, expected, 1e-12)
