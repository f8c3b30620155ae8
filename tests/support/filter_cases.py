"""What the tests of single filters share: a filter of A against its response, and gradients."""

import torch
from graphs import NODES, near, randn
from torch.autograd import gradcheck
from torch.func import functional_call

from nonlocal_zoo.registry import FILTERS


def build(config, channels=(3, 2), **overrides):
    built = FILTERS.build(
        config, in_channels=channels[0], out_channels=channels[1], **overrides
    ).double()
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return built


def weighted(graph_filter, images):
    """sum_k images[k] W_k' + b, by einsum over the state dict."""
    state = graph_filter.state_dict()
    y = sum(
        torch.einsum("bnc,dc->bnd", image, state[f"weights.{k}.weight"])
        for k, image in enumerate(images)
    )
    assert f"weights.{len(images)}.weight" not in state
    return y + state["weights.0.bias"]


def check_response(graph_filter, functions):
    """``response`` is sum_k f_k(lambda) W_k on [-1, 1], f_k by the definition."""
    x = torch.linspace(-1, 1, 41, dtype=torch.float64)
    state = graph_filter.state_dict()
    expected = sum(
        torch.einsum("n,dc->ndc", f, state[f"weights.{k}.weight"])
        for k, f in enumerate(functions(x))
    )
    near(graph_filter.response(x), expected)


def check_gradients(graph_filter, leaves, make):
    """Of the operator's own tensors, the features and every parameter."""
    parameters = dict(graph_filter.named_parameters())

    def apply(z, *values):
        replaced = dict(zip(parameters, values[: len(parameters)], strict=True))
        operator = make(*values[len(parameters) :])
        return functional_call(graph_filter, replaced, (operator, z))

    values = [p.detach().clone() for p in parameters.values()]
    inputs = [t.requires_grad_() for t in (randn(2, NODES, 3), *values, *leaves)]
    assert gradcheck(apply, inputs, fast_mode=True)


def check_autocast(config, leaves, make, dtype):
    """Finite output and gradients, near float32."""
    built = FILTERS.build(config, in_channels=3, out_channels=2)
    leaves, z = [leaf.float() for leaf in leaves], torch.randn(2, NODES, 3)
    exact = built(make(*leaves), z)
    inputs = [t.to(dtype).requires_grad_() for t in (z, *leaves)]
    with torch.autocast("cpu", dtype=dtype):
        y = built(make(*inputs[1:]), inputs[0])
    near(y.double(), exact.double(), 5e-2)
    y.float().square().mean().backward()
    for tensor in (*inputs, *built.parameters()):
        assert tensor.grad.isfinite().all()
