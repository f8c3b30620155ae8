"""A kernel against its naive formula: values, derivatives, transforms of torch.func, and memory."""

import gc

import torch

from nonlocal_zoo.testing import assert_near


def randn(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def loss(y):
    """A number that depends on each entry of ``y`` in its own way, and on none of them linearly."""
    return (y.square() / 2 + y * torch.arange(y.numel()).to(y).cos().view_as(y)).sum()


def leaves_of(inputs):
    return [x.detach().clone().requires_grad_() for x in inputs]


def derivatives(function, inputs, second=True):
    """Names and tensors: the value, gradients in the ways they are asked for, second derivatives.

    Gradients without a graph (where a kernel may have a faster way), with one, and of each input
    alone.
    """
    yield "without gradients", function(*inputs)
    leaves = leaves_of(inputs)
    y = function(*leaves)
    yield "value", y
    for k, x in enumerate(torch.autograd.grad(loss(y), leaves, retain_graph=second)):
        yield f"gradient of input {k}", x
    for k, leaf in enumerate(leaves):
        others = [x if x is leaf else x.detach() for x in leaves]
        yield f"gradient of input {k} alone", torch.autograd.grad(loss(function(*others)), leaf)[0]
    if not second:
        return
    first = torch.autograd.grad(loss(y), leaves, create_graph=True)
    for k, x in enumerate(first):
        yield f"gradient of input {k}, with a graph", x
    total = sum(loss(x) for x in first)
    for k, x in enumerate(torch.autograd.grad(total, leaves, materialize_grads=True)):
        yield f"second derivative of input {k}", x


def check_derivatives(function, naive, inputs, tolerance=1e-9, second=True):
    """The same by ``function`` and by ``naive``."""
    pairs = zip(
        derivatives(function, inputs, second), derivatives(naive, inputs, second), strict=True
    )
    for (what, found), (_, expected) in pairs:
        assert_near(found, expected, tolerance, what)


def check_transforms(function, naive, inputs, tolerance=1e-9, forward=True):
    """grad, vmap and, with ``forward``, jvp of torch.func: of each input, and of all."""
    vmap, jvp = torch.func.vmap, torch.func.jvp
    for k, x in enumerate(inputs):
        both = _of_one(function, inputs, k), _of_one(naive, inputs, k)
        _check_transforms_of_one(*both, x, f"input {k}", tolerance, forward)
    some = tuple(torch.randn(3, *x.shape).to(x) for x in inputs)
    assert_near(vmap(function)(*some), vmap(naive)(*some), tolerance, "vmap of all")
    if forward:
        inputs, along = tuple(inputs), tuple(torch.randn_like(x) for x in inputs)
        changes = (jvp(f, inputs, along)[1] for f in (function, naive))
        assert_near(*changes, tolerance, "jvp of all")


def _of_one(function, inputs, k):
    return lambda x: function(*inputs[:k], x, *inputs[k + 1 :])


def _check_transforms_of_one(function, naive, x, which, tolerance, forward):
    grad, vmap, jvp = torch.func.grad, torch.func.vmap, torch.func.jvp
    along, some = torch.randn_like(x), torch.randn(2, *x.shape).to(x)

    def gradient(f):
        return grad(lambda x: loss(f(x)))

    def change(f):
        return lambda x: jvp(f, (x,), (along,))[1]

    transforms = {
        "grad": lambda f: gradient(f)(x),
        "vmap": lambda f: vmap(f)(some),
        "vmap of grad": lambda f: vmap(gradient(f))(some),
        "jvp of grad": lambda f: change(gradient(f))(x),
        "grad of grad": lambda f: gradient(gradient(f))(x),
    }
    if forward:
        transforms |= {
            "jvp": lambda f: change(f)(x),
            "vmap of jvp": lambda f: vmap(change(f))(some),
            "grad of jvp": lambda f: gradient(change(f))(x),
            "jvp of jvp": lambda f: change(change(f))(x),
        }
    for what, transform in transforms.items():
        assert_near(transform(function), transform(naive), tolerance, f"{what}, {which}")


def differentiate(function, inputs, second=True):
    """Forward, backward and, with ``second``, backward through that, with nothing returned."""
    leaves = leaves_of(inputs)
    first = torch.autograd.grad(loss(function(*leaves)), leaves, create_graph=second)
    if second:
        torch.autograd.grad(sum(map(loss, first)), leaves, allow_unused=True)


def tensors_left(function):
    """How many tensors ``function()`` leaves behind for the garbage collector."""
    function()  # what is made once
    gc.collect()
    gc.disable()
    try:
        before = _tensors()
        function()
        return _tensors() - before
    finally:
        gc.enable()


def _tensors():
    return sum(issubclass(type(x), torch.Tensor) for x in gc.get_objects())
