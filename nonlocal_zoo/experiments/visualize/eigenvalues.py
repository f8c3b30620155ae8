"""Eigenvalues and singular values of any operator, through products with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs
from torch import Tensor

from ...functions import Density, as_low_rank, density, exact_spectrum
from ...operators import GraphOperator, LowRank, Regrouped

ARNOLDI = 32  # eigenvalues of an operator that is not symmetric


@dataclass(frozen=True)
class Eigenvalues:
    """Of all graphs of a batch together.

    Attributes:
        values: (n,), real or complex.
        counts: (n,), of how many nodes' eigenvalues each stands for.
        method: how they were found, for a caption.
    """

    values: Tensor
    counts: Tensor
    method: str


def singular_values(operator: GraphOperator) -> Density:
    """Those of A: |eigenvalues| of a symmetric A, else roots of the eigenvalues of A'A or AA'."""
    rows, columns = operator.shape[1:]
    if operator.symmetric:
        found = density(operator)
        return Density(found.points.abs(), found.weights, found.nodes)
    back = operator.transpose()
    gram = back @ operator if columns <= rows else operator @ back
    gram.symmetric = True
    found = density(gram)
    squares = found.points
    rounding = 10 * torch.finfo(squares.dtype).eps * squares.amax(1, keepdim=True)
    return Density(torch.where(squares > rounding, squares, 0).sqrt(), found.weights, found.nodes)


def eigenvalues(operator: GraphOperator) -> Eigenvalues:
    """All of a symmetric or low-rank operator (their density, where N is large), the ``ARNOLDI``
    largest of another square one; singular values of one that is not square.

    Eigenvalues of L K R' are those of the small K R' L, and zeros.
    """
    if isinstance(operator, Regrouped):
        operator = operator.operator
    if not operator.square:
        return _of_density(singular_values(operator), "singular values")
    if operator.symmetric:
        exact = exact_spectrum(operator) is not None
        return _of_density(density(operator), "all, exact" if exact else "all, Lanczos")
    low_rank = as_low_rank(operator)
    return _arnoldi(operator) if low_rank is None else _of_small_matrix(low_rank)


def _of_density(found: Density, method: str) -> Eigenvalues:
    counts = found.nodes * found.weights
    return Eigenvalues(found.points.flatten(), counts.flatten(), method)


def _of_small_matrix(operator: LowRank) -> Eigenvalues:
    batch, nodes, _ = operator.shape
    small = operator.core_matrix() @ operator.right.mT @ operator.left
    if small.shape[1] > nodes:
        small = operator.to_dense()
    values = torch.linalg.eigvals(small).flatten()
    zeros = batch * nodes - len(values)
    counts = torch.ones(len(values) + 1)
    counts[-1] = zeros
    return Eigenvalues(torch.cat([values, values.new_zeros(1)]), counts, "all, exact")


def _arnoldi(operator: GraphOperator) -> Eigenvalues:
    batch, nodes, _ = operator.shape
    size = batch * nodes
    if size < 3 * ARNOLDI:
        values = torch.linalg.eigvals(operator.to_dense()).flatten()
        return Eigenvalues(values, torch.ones(len(values)), "all, exact")

    def apply(x: np.ndarray) -> np.ndarray:  # the graphs of a batch as one
        columns = torch.from_numpy(np.ascontiguousarray(x)).reshape(batch, nodes, 1)
        return operator.matmul(columns.to(operator.dtype)).reshape(-1).double().numpy()

    whole = LinearOperator((size, size), matvec=apply, dtype=np.float64)
    start = np.random.default_rng(0).normal(size=size)
    try:
        found = eigs(whole, ARNOLDI, v0=start, tol=1e-6, return_eigenvectors=False)
    except ArpackNoConvergence as stopped:
        found = stopped.eigenvalues
    method = f"the {len(found)} largest of {size}, Arnoldi"
    return Eigenvalues(torch.from_numpy(found), torch.ones(len(found)), method)
