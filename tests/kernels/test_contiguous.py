"""The features themselves, with a gradient that is no transposed view."""

import pytest
import torch
from kernel_checks import check_derivatives, check_transforms, differentiate, randn, tensors_left

from nonlocal_zoo.kernels import contiguous, contiguous_gradient

SMALL, LARGE = (2, 5, 3), (2, 1024, 512)  # the gradient of the small one stays as it lies
both = pytest.mark.parametrize("shape", [SMALL, LARGE], ids=str)


@both
def test_it_is_the_identity(shape):
    inputs = [randn(*shape)]
    check_derivatives(contiguous_gradient, torch.clone, inputs, 0)
    check_transforms(contiguous_gradient, torch.clone, inputs, 1e-12)
    assert contiguous_gradient(inputs[0]).data_ptr() == inputs[0].data_ptr()


@both
def test_its_gradient_is_contiguous(shape):
    strides = []
    for function in (torch.Tensor.view_as, lambda x, _: contiguous_gradient(x)):
        x = torch.randn(shape, requires_grad=True)
        middle = x * 2
        middle.register_hook(lambda grad: strides.append(grad.is_contiguous()))
        weight = torch.randn(shape).mT.contiguous()
        (function(middle, middle).transpose(1, 2) * weight).sum().backward()
    assert strides == [False, shape == LARGE]


@both
def test_nothing_is_left_for_the_garbage_collector(shape):
    assert tensors_left(lambda: differentiate(contiguous_gradient, [randn(*shape)])) == 0


@pytest.mark.parametrize("shape", [SMALL, LARGE, (1, 1024, 1024)], ids=str)
def test_transposed_features_are_copied(shape):
    x = randn(*shape).mT.requires_grad_()
    y, expected = contiguous(x), x.contiguous()
    assert y.is_contiguous() and torch.equal(y, expected)
    back = torch.randn_like(y)
    ours, theirs = (torch.autograd.grad((z * back).sum(), x)[0] for z in (y, expected))
    assert torch.equal(ours, theirs)
