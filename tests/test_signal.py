"""GraphSignal: images as sets of nodes, and back."""

import pytest
import torch

from nonlocal_zoo import GraphSignal
from nonlocal_zoo.testing import refuses


@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 3, 4)], ids=str)
def test_image_and_back(shape):
    image = torch.randn(2, 5, *shape)
    signal = GraphSignal.from_grid(image)
    nodes = torch.Size(shape).numel()
    assert signal.x.shape == (2, nodes, 5) and signal.grid == shape and signal.count == nodes
    assert torch.equal(signal.x[1, :, 3], image[1, 3].flatten()), "row-major"
    assert torch.equal(signal.layout(signal.x), image)
    assert signal.layout(signal.x[:, :1]).shape == (2, 5, *[1] * len(shape)), "one row for all"
    assert signal.x.data_ptr() == image.data_ptr(), "a view, no copy"
    assert signal.receivers is signal.x


def test_gradients_are_contiguous():
    """In the layout of the features, where they are large: torch is slow with others."""
    image = torch.randn(2, 128, 64, 64).requires_grad_()
    y = torch.randn(2, 4096, 128).requires_grad_()
    seen, signal = [], GraphSignal.from_grid(image.clone())
    image, nodes = signal.image, y.clone()
    for x in (image, nodes):
        x.register_hook(lambda grad: seen.append(grad.is_contiguous()))
    laid_out = signal.layout(nodes)
    assert laid_out.is_contiguous() and torch.equal(laid_out[1, 3].flatten(), y[1, :, 3])
    (
        (laid_out * torch.randn_like(laid_out)).sum() + (signal.x * torch.randn_like(y)).sum()
    ).backward()
    assert seen == [True, True]


def test_nodes_without_a_grid():
    signal = GraphSignal(torch.randn(2, 7, 5))
    assert signal.layout(signal.x) is signal.x and signal.features is signal.x


def test_padding():
    mask = torch.tensor([[True, True, False], [False, False, False]])
    signal = GraphSignal(torch.randn(2, 3, 4), mask=mask)
    assert signal.count.flatten().tolist() == [2, 1], "never zero: it divides"
    zeroed = signal.zero_padding(signal.x)
    assert torch.equal(zeroed[0, :2], signal.x[0, :2])
    assert (zeroed[0, 2] == 0).all() and (zeroed[1] == 0).all()
    plain = GraphSignal(signal.x)
    assert plain.zero_padding(signal.x) is signal.x


def test_other_features_on_the_same_nodes():
    signal = GraphSignal(torch.randn(1, 6, 4), (2, 3), torch.ones(1, 6, dtype=torch.bool))
    other = signal.with_x(torch.randn(1, 6, 2), receiver=torch.randn(1, 6, 2))
    assert other.grid == (2, 3) and other.mask is signal.mask
    assert other.receivers is other.receiver and other.with_x(signal.x).receiver is None
    y = torch.randn(1, 6, 4)
    assert other.with_features(y).features is y
    image = GraphSignal.from_grid(torch.randn(1, 4, 2, 3))
    assert image.with_x(y).features is y and image.with_x(y).grid == (2, 3)
    picture = torch.randn(1, 4, 2, 3)
    assert image.with_features(picture).features is picture


def test_too_few_dimensions():
    refuses(ValueError, lambda: GraphSignal.from_grid(torch.randn(3, 4)), "(3, 4)", "(B, C, H, W)")


def test_softmax_over_real_nodes():
    scores = torch.randn(2, 5, 3).half().requires_grad_()
    mask = torch.tensor([[True, True, False, True, False], [False] * 5])
    shares = GraphSignal(scores, mask=mask).softmax_over_nodes(scores)
    assert shares.dtype == torch.float32
    real = scores[0].float().exp() * mask[0][:, None]
    torch.testing.assert_close(shares[0], real / real.sum(0))
    assert (shares[1] == 0).all()  # a graph without nodes
    (gradient,) = torch.autograd.grad(shares.square().sum(), scores)
    assert gradient.isfinite().all() and (gradient[1] == 0).all()
