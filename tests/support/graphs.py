"""Small square operators: those with exact functions, and those that iterate.

name -> (leaves, make): float64 tensors, and the operator as a function of them.
"""

import torch

from nonlocal_zoo.operators import Dense, Diagonal, LowRank, Product, ReluSum, Softmax, Sum

NODES = 9


def randn(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def rand(*shape):
    return torch.rand(*shape, dtype=torch.float64) + 0.05


def snl(left, right):
    return LowRank(left, right, nonnegative=True).symmetrize().normalize("sym")


def walk(left, right):
    return LowRank(left, right, nonnegative=True).normalize("rw")


def symmetric(matrix):
    return Dense((matrix + matrix.mT) / 2, symmetric=True, nonnegative=True).normalize("sym")


def halves(left, right, other):
    """A sum of two symmetric operators of low rank."""
    result = snl(left, right) * 0.5 + snl(other, other) * 0.5
    result.bounded = True
    return result


def gaussian(scores):
    return Softmax.exponential(scores, scores).normalize("sym")


def relu_sum(rows, columns):
    return ReluSum(rows, columns).symmetrize().normalize("sym")


def mixed(left, right, scores):
    """Low rank and softmax: no exact function."""
    result = Sum(snl(left, right) * 0.5, gaussian(scores) * 0.5)
    result.bounded = True
    return result


def thin(rank=3):
    return rand(2, NODES, rank)


SYMMETRIC_EXACT = {
    "snl": (lambda: [thin(), thin()], snl),
    "snl of rank N": (lambda: [thin(8), thin(8)], snl),
    "sum of low ranks": (lambda: [thin(), thin(), thin(2)], halves),
    "dense": (lambda: [rand(2, NODES, NODES)], symmetric),
    "diagonal": (lambda: [rand(2, NODES, 1) / 1.05], lambda d: Diagonal(d, bounded=True)),
}
EXACT = {
    **SYMMETRIC_EXACT,
    "random walk": (lambda: [thin(), thin()], walk),
    "product": (
        lambda: [thin(), thin(), rand(2, NODES, NODES)],
        lambda left, right, m: Product(walk(left, right), Dense(m, nonnegative=True)).normalize(
            "rw"
        ),
    ),
    "dense walk": (
        lambda: [rand(2, NODES, NODES)],
        lambda m: Dense(m, nonnegative=True).normalize("rw"),
    ),
}
SYMMETRIC_ITERATED = {
    "gaussian": (lambda: [randn(2, NODES, 3)], gaussian),
    "relu sum": (lambda: [rand(2, NODES, 1), rand(2, NODES, 1)], relu_sum),
    "mixed": (lambda: [thin(), thin(), randn(2, NODES, 3)], mixed),
}
ITERATED = {
    **SYMMETRIC_ITERATED,
    "softmax": (lambda: [randn(2, NODES, 3), randn(2, NODES, 3)], Softmax),
    "masked softmax": (
        lambda: [randn(2, NODES, 3), randn(2, NODES, 3)],
        lambda q, k: Softmax(q, k, row_mask=MASK, key_mask=MASK),
    ),
}
MASK = torch.arange(NODES) < torch.tensor([[NODES], [NODES - 3]])


def dense_function(matrix, function):
    """f(A) of a symmetric (B, N, N) in its eigenbasis."""
    eigenvalues, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag_embed(function(eigenvalues)) @ vectors.mT


def near(actual, expected, tolerance=1e-9):
    """Relative to the largest entry."""
    assert actual.shape == expected.shape
    error = (actual - expected).abs().max() / expected.abs().max().clamp(min=1e-3)
    assert error <= tolerance, f"relative error {error:.3g}"
