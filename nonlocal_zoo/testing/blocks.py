"""The contract of a block: ``check(make)``, where ``make()`` gives a new one for 16 channels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd import gradcheck

from .allocation import assert_no_square, largest_allocation
from .compare import assert_near, copies, randomize_, same_tensors

CHANNELS = 16
Make = Callable[[], nn.Module]


def _ready(make: Make) -> nn.Module:
    return randomize_(make().double()).eval()


def _input(*shape: int) -> Tensor:
    return torch.randn(2, CHANNELS, *shape, dtype=torch.float64)


def check_gradients(make: Make) -> None:
    """gradcheck with respect to input and parameters, eval and training mode."""
    block = _ready(make)
    parameters = dict(block.named_parameters())

    def apply(x: Tensor, *values: Tensor) -> Tensor:
        replaced = dict(zip(parameters, values, strict=True))
        replaced |= {name: b.clone() for name, b in block.named_buffers()}  # moving averages move
        return torch.func.functional_call(block, replaced, (x,))

    for training in (False, True):
        block.train(training)
        values = [p.detach().clone() for p in parameters.values()]
        inputs = [t.requires_grad_() for t in (_input(3, 2), *values)]
        assert gradcheck(apply, inputs, fast_mode=True), f"training={training}"


def check_all_parameters_learn(make: Make) -> None:
    """Every parameter is part of the graph, and the input is not changed."""
    block, x = _ready(make).train(), _input(4, 3).requires_grad_()
    before = x.detach().clone()
    block(x).square().sum().backward()
    assert torch.equal(x.detach(), before), "the input was changed"
    without = [name for name, p in block.named_parameters() if p.grad is None]
    assert not without, f"no gradient: {without}"


def uses_grid(block: nn.Module) -> bool:
    """Whether an affinity of the block asks where in the picture a node is."""
    return any(affinity.uses_grid for affinity in block.affinities)


def check_permutation(make: Make) -> None:
    """Nodes have no order, unless the block says that it uses the grid; then they do."""
    block, x = _ready(make), _input(5, 3)
    order = torch.randperm(15)
    permuted = block(x.flatten(2)[:, :, order].reshape(x.shape)).flatten(2)
    expected = block(x).flatten(2)[:, :, order]
    if uses_grid(block):
        assert not torch.allclose(permuted, expected), "it does not use the grid"
    else:
        assert_near(permuted, expected, what="permuted nodes")


def check_layouts(make: Make) -> None:
    """Strides, dimensions and odd sizes change no number."""
    block = _ready(make)
    x = _input(5, 3)
    y = block(x)
    assert y.shape == x.shape
    wide = torch.randn(2, 2 * CHANNELS, 7, 5, dtype=torch.float64)
    wide[:, ::2, 1:6, ::2] = x
    for name, view in {
        "channels_last": x.contiguous(memory_format=torch.channels_last),
        "transposed": x.mT.contiguous().mT,
        "slice": wide[:, ::2, 1:6, ::2],
    }.items():
        assert torch.equal(view, x)
        assert_near(block(view), y, what=name)
    for shape in () if uses_grid(block) else ((15,), (3, 5), (1, 5, 3), (5, 3, 1)):
        again = block(x.reshape(2, CHANNELS, *shape))
        assert_near(again.reshape(y.shape), y, what=f"grid {shape}")
    assert_near(block(x[1:]), y[1:], what="batch of one")
    single = block(x[:, :, :1, :1])
    assert single.shape == (2, CHANNELS, 1, 1) and single.isfinite().all(), "one node"


def check_dead_rows(make: Make) -> None:
    """Nodes without neighbours, and images without any, give finite values and gradients."""
    for dead in ("node", "image", "all"):
        for training in (False, True):
            block, x = _ready(make).train(training), _input(4, 3)
            if dead == "node":
                x[:, :, 0, 0] = 0
            else:
                x[: 1 if dead == "image" else 2] = 0
            for name, parameter in block.named_parameters():
                if name.endswith("bias") and "norm" not in name:
                    nn.init.zeros_(parameter)  # otherwise no embedding is zero
            x.requires_grad_()
            y = block(x)
            y.square().sum().backward()
            assert y.isfinite().all(), f"{dead}: output"
            for name, t in [("input", x), *block.named_parameters()]:
                assert t.grad is None or t.grad.isfinite().all(), f"{dead}: gradient of {name}"


def check_start(make: Make) -> None:
    """A block that says it starts at zero is the identity, also when initialised again."""
    block, x = make(), _input(4, 3).float()
    if not block.starts_at_zero:
        assert not torch.equal(block.eval()(x), x)
        return
    for training in (True, False):
        assert torch.equal(block.train(training)(x), x), "at construction"
        randomize_(block).init_weights()
        assert torch.equal(block.train(training)(x), x), "after init_weights()"


def check_copies(make: Make) -> None:
    """State dict, deepcopy and pickle carry everything; equal seeds give equal blocks."""
    block, x = _ready(make), _input(4, 3)
    other = randomize_(make().double()).eval()
    assert not torch.equal(other(x), block(x))
    other.load_state_dict(block.state_dict())
    for copied in (other, *copies(block)):
        assert torch.equal(copied(x), block(x))
        assert not {p.data_ptr() for p in copied.parameters()} & {
            p.data_ptr() for p in block.parameters()
        }
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(list(make().state_dict().values()))
    same_tensors(*states, "torch.manual_seed")


def check_memory(make: Make) -> None:
    """No N x N tensor, forward or backward; the operator itself can be made dense."""
    block, side = randomize_(make()), 32
    x = torch.randn(1, CHANNELS, side, side, requires_grad=True)
    assert_no_square(lambda: block(x).sum().backward(), side**2)
    seen = largest_allocation(lambda: block.operators(x)[0].to_dense())
    expected = block.operators(x)[0].shape.numel()
    assert seen >= expected, f"the check is blind: {seen} elements seen, {expected} expected"


BLOCK_CHECKS = (
    check_gradients,
    check_all_parameters_learn,
    check_permutation,
    check_layouts,
    check_dead_rows,
    check_start,
    check_copies,
    check_memory,
)
