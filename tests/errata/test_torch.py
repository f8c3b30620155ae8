import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention as attention
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from nonlocal_zoo import build_block, operators
from nonlocal_zoo.blocks.cost import block_cost
from nonlocal_zoo.kernels import criss_cross, scores_at_once
from nonlocal_zoo.layers import apply_norm
from nonlocal_zoo.operators import Softmax
from nonlocal_zoo.testing import assert_near


class Largest(TorchDispatchMode):
    """The number of entries of the largest tensor that is made."""

    entries = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple) else (result,):
            if isinstance(tensor, torch.Tensor):
                self.entries = max(self.entries, tensor.numel())
        return result


def largest(function):
    with torch.no_grad(), Largest() as made:
        function()
    return made.entries


NODES, WIDTH = 256, 8
X = torch.randn(1, 1, NODES, WIDTH)


def test_attention_of_unequal_widths():
    """torch 2.13, scaled_dot_product_attention on CPU
    | keys and values of unequal width: an N x N matrix is formed, without a word
    | Softmax pads the narrower one, or takes blocks of queries
    """
    nodes = 1100  # fewer may be formed: 4 MiB
    x = torch.randn(1, 1, nodes, WIDTH)
    assert largest(lambda: attention(x, x, x)) < nodes**2
    wide = torch.randn(1, 1, nodes, 2 * WIDTH)
    assert largest(lambda: attention(x, x, wide)) >= nodes**2
    assert largest(lambda: Softmax(x[0], x[0]).matmul(wide[0])) < nodes**2


def test_attention_of_transposed_features():
    """torch 2.13, scaled_dot_product_attention on CPU
    | a last axis that is not contiguous, as of x.flatten(2).mT: an N x N matrix is formed
    | Softmax makes keys and queries contiguous
    """
    transposed = X.mT.contiguous().mT
    assert torch.equal(transposed, X)
    assert largest(lambda: attention(X, transposed, X)) >= NODES**2
    assert largest(lambda: Softmax(X[0], transposed[0]).matmul(transposed[0])) < NODES**2


def test_attention_costs_nothing():
    """torch 2.13, FlopCounterMode
    | counts 0 for flash attention on CPU
    | block_cost counts attention in its plain form
    """
    with FlopCounterMode(display=False) as flash:
        attention(X, X, X)
    with FlopCounterMode(display=False) as plain, sdpa_kernel(SDPBackend.MATH):
        attention(X, X, X)
    assert flash.get_total_flops() == 0
    assert plain.get_total_flops() == 2 * 2 * NODES**2 * WIDTH
    block = build_block("danet_position", 8)
    assert block_cost(block, (1, 8, 16, 16)).multiply_adds > NODES**2 * 8


def test_attention_has_no_second_derivative():
    """torch 2.13, scaled_dot_product_attention on CPU
    | flash attention has no double backward
    | our attention has derivatives of any order there, in blocks of queries
    """
    x = torch.randn(1, 1, 600, 4, dtype=torch.float64, requires_grad=True)

    def penalty(function):
        (gradient,) = torch.autograd.grad(function(x).square().sum(), x, create_graph=True)
        return torch.autograd.grad(gradient.square().sum(), x)[0]

    def ours(x):
        return Softmax(x[0], x[0]).matmul(x[0])

    def plain(x):
        return attention(x, x, x, scale=1.0)

    with pytest.raises(RuntimeError, match="derivative for aten::_scaled_dot_product_flash"):
        penalty(plain)
    with sdpa_kernel(SDPBackend.MATH):
        expected = penalty(plain)
    with scores_at_once(2**14):  # blocks of 27 queries
        assert_near(penalty(ours), expected)


def test_batch_norm_of_one_image():
    """torch 2.13, batch_norm on CPU, backward
    | a batch of one image and a gradient that was (1, H * W, C) before a transpose: wrong, without
    a word
    | norms are taken of (B N, C), where it is right
    """
    x = torch.randn(1, 4, 3, 5, dtype=torch.float64, requires_grad=True)
    gradient = torch.randn(1, 15, 4, dtype=torch.float64).mT

    def of(function, gradient):
        return torch.autograd.grad(function(x), x, gradient)[0]

    def image(x):
        return torch.nn.functional.batch_norm(x, torch.zeros(4).double(), torch.ones(4).double())

    def nodes(x):
        return apply_norm(nn.BatchNorm1d(4).double().eval(), x.flatten(2).mT).mT

    right = of(nodes, gradient)
    assert torch.allclose(of(nodes, gradient.contiguous()), right)
    assert torch.allclose(of(image, gradient.contiguous().unflatten(2, (3, 5))), right)
    assert not torch.allclose(of(image, gradient.unflatten(2, (3, 5))), right)


def compiled_gradient(function, x, *others):
    """Of the sum of squares, by x: eager's, and that of torch.compile's default backend."""
    torch.compiler.reset()
    found = []
    for call in (function, torch.compile(function, fullgraph=True, dynamic=False)):
        leaf = x.clone().requires_grad_()
        state = [other.clone() for other in others]
        found.append(torch.autograd.grad(call(leaf, *state).square().sum(), leaf)[0])
    return found


def test_inductor_drops_a_copy(monkeypatch, tmp_path):
    """torch 2.13, torch.compile(backend="inductor"), a buffer that is copied, read and then changed
    | the copy is dropped, and backward reads the changed buffer: a wrong gradient, in silence
    | ema copies its bases in another memory layout, and that copy stays
    """
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    x, buffer = torch.randn(5, 8).double(), torch.randn(8, 4).double()

    def function(x, buffer, copy):
        y = x @ copy(buffer)
        with torch.no_grad():
            buffer.mul_(0.5)
        return y

    eager, wrong = compiled_gradient(lambda x, b: function(x, b, torch.clone), x, buffer)
    assert (eager - wrong).norm() > 0.1 * eager.norm()
    layout = lambda b: b.mT.clone(memory_format=torch.contiguous_format).mT  # noqa: E731
    assert_near(*compiled_gradient(lambda x, b: function(x, b, layout), x, buffer))


def test_inductor_and_a_grouped_convolution(monkeypatch, tmp_path):
    """torch 2.13, torch.compile(backend="inductor") on CPU, one image: rows of unit length between
    a batch norm and a grouped convolution
    | wrong gradients, in silence; right with torch._inductor.config.cpp.simdlen = 1
    | GroupedLinear is an einsum
    """
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    x, weight = torch.randn(1, 30, 32).double(), torch.randn(16, 4, 1).double()
    norm = nn.BatchNorm1d(32).double()

    def unit(x):
        y = norm(x.flatten(0, 1)).view(x.shape)
        squares = y.square().sum(2, keepdim=True)
        return y * torch.where(squares <= 1e-24, 1, squares).rsqrt()

    def convolution(x):
        return nn.functional.conv1d(unit(x).mT, weight, groups=8).mT.sin()

    def einsum(x):
        rows, blocks = unit(x).unflatten(2, (8, 4)), weight.squeeze(2).unflatten(0, (8, 2))
        return torch.einsum("bngi,goi->bngo", rows, blocks).flatten(2).sin()

    eager, wrong = compiled_gradient(convolution, x)
    assert (eager - wrong).norm() > 0.01 * eager.norm()
    right, found = compiled_gradient(einsum, x)
    assert_near(right, eager)
    assert_near(found, eager)


def test_inductor_writes_over_a_softmax(monkeypatch, tmp_path):
    """torch 2.13, torch.compile(backend="inductor") on CPU, one image: criss-cross attention as one
    softmax over rows and columns side by side
    | wrong gradients, in silence
    | cc is compiled as two attentions, along rows and along columns, whose sums are contiguous
    """
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    block = build_block("cc", 32).double()
    nn.init.constant_(block.units[0].gamma, 1.0)
    x = torch.randn(1, 32, 6, 5).double()
    assert_near(*compiled_gradient(block, x))
    monkeypatch.setattr(operators.criss_cross, "criss_cross_attention", criss_cross._naive)
    eager, wrong = compiled_gradient(block, x)
    assert (eager - wrong).norm() > 0.01 * eager.norm()
