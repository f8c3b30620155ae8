"""The contract of an affinity: ``check(affinity, x)`` for (B, N, C) features in float64."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.autograd import gradcheck

from ..operators import GraphOperator, Regrouped
from ..signal import GraphSignal
from .compare import assert_near, refuses


def dense_normalized(matrix: Tensor, kind: str) -> Tensor:
    """D^(-1/2) A D^(-1/2) ("sym") or D^(-1) A ("rw") of a dense (B, N, M), 0 in place of 1/0."""
    degree = matrix.sum(2)
    positive = degree > 0
    power = -1.0 if kind == "rw" else -0.5
    inverse = torch.where(positive, torch.where(positive, degree, 1) ** power, 0)
    scaled = torch.diag_embed(inverse) @ matrix
    return scaled if kind == "rw" else scaled @ torch.diag_embed(inverse)


def on_grid(x: Tensor) -> GraphSignal:
    """``x`` as the nodes of a picture two high."""
    return GraphSignal(x, (2, x.shape[1] // 2))


def as_cloud(x: Tensor, pos: Tensor | None = None, mask: Tensor | None = None) -> GraphSignal:
    """``x`` (B, N, C) as points, at random places or ``pos``, each joined with the two next."""
    batch, nodes, _ = x.shape
    if pos is None:
        pos = torch.rand(batch, nodes, 3).to(x)
    graph, row, step = torch.meshgrid(*map(torch.arange, (batch, nodes, 2)), indexing="ij")
    edges = torch.stack([graph, row, row + step + 1]).flatten(1)
    return GraphSignal(x, mask=mask, pos=pos, edges=edges[:, edges[2] < nodes].to(x.device))


def check_gradients(affinity: nn.Module, x: Tensor) -> None:
    """gradcheck of A v with respect to features, v and parameters."""
    parameters = dict(affinity.named_parameters())
    rhs = torch.randn(x.shape[0], x.shape[1], affinity.width or x.shape[2]).to(x)

    def apply(x: Tensor, rhs: Tensor, *values: Tensor) -> Tensor:
        replaced = {f"affinity.{k}": v for k, v in zip(parameters, values, strict=True)}
        return torch.func.functional_call(_Apply(affinity), replaced, (x, rhs))

    values = [p.detach().clone().requires_grad_() for p in parameters.values()]
    inputs = (x.clone().requires_grad_(), rhs.requires_grad_(), *values)
    assert gradcheck(apply, inputs, fast_mode=True)


class _Apply(nn.Module):
    """functional_call replaces the parameters of what it calls only."""

    def __init__(self, affinity: nn.Module) -> None:
        super().__init__()
        self.affinity = affinity

    def forward(self, x: Tensor, rhs: Tensor) -> Tensor:
        return self.affinity(on_grid(x)).matmul(rhs)


def check_flags(affinity: nn.Module, x: Tensor) -> None:
    """Entries are not negative and rows and columns agree where the operator says so."""
    operator = affinity(on_grid(x))
    dense = operator.to_dense()
    if operator.nonnegative:
        assert (dense >= 0).all()
    if operator.symmetric:
        assert_near(dense, dense.mT, what="symmetric")
    assert operator.symmetric or not affinity.symmetrize or affinity.normalize == "rw"
    assert operator.nonnegative or not affinity.structure.nonnegative


def check_spectrum(affinity: nn.Module, x: Tensor) -> None:
    """Symmetric and normalised: eigenvalues in [-1, 1]. Random walk: rows sum to one or zero."""
    operator = affinity(on_grid(x))
    dense = operator.to_dense()
    if affinity.normalize == "sym" and operator.symmetric:
        assert torch.linalg.eigvalsh(dense).abs().max() <= 1 + 1e-9
    if affinity.normalize == "rw":
        rows = dense.sum(2)
        assert_near(rows, (rows > 0.5).to(rows), what="row sums")


def check_padding(affinity: nn.Module, x: Tensor) -> None:
    """Padded nodes neither speak nor hear, whatever is in them, and get no gradient."""
    affinity.eval()
    batch, nodes, _ = x.shape
    sizes = [nodes - 2 - b % (nodes - 2) for b in range(batch)]
    mask = torch.arange(nodes) < torch.tensor(sizes)[:, None]
    padded = torch.where(mask.unsqueeze(-1), x, 7 * torch.randn_like(x)).requires_grad_()
    if affinity.uses_grid:
        refuses(ValueError, lambda: affinity(GraphSignal(padded, mask=mask)), "image", "no mask")
        return
    signal = as_cloud(padded, mask=mask)
    operator = affinity(signal)
    rhs = signal.zero_padding(padded + torch.randn_like(padded))[..., : affinity.width]
    result = operator.matmul(rhs)
    for b, size in enumerate(sizes):
        alone = affinity(as_cloud(x[b : b + 1, :size], signal.pos[b : b + 1, :size]))
        heard = result[b : b + 1, :size]
        assert_near(heard, alone.matmul(rhs[b : b + 1, :size]), what="real nodes")
        assert (result[b, size:] == 0).all(), "padded nodes hear"
    if not isinstance(operator, Regrouped) and operator.square:
        _check_padded_matrix(operator, mask)
    (result**2).sum().backward()
    assert padded.grad.isfinite().all()
    assert (padded.grad[~mask] == 0).all(), "gradient of padded nodes"


def _check_padded_matrix(operator: GraphOperator, mask: Tensor) -> None:
    dense = operator.to_dense()
    for matrix in (dense, operator.transpose().to_dense().mT):
        assert_near(matrix, dense, what="transpose")
        assert (matrix[~mask] == 0).all() and (matrix.mT[~mask] == 0).all(), "padded nodes"
    assert_near(operator.degree(), dense.sum(2, keepdim=True), what="degree")


AFFINITY_CHECKS = (check_gradients, check_flags, check_spectrum, check_padding)
