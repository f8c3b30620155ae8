"""Filters that are functions of a matrix: by inverse, exponential and eigenvectors.

Each takes the filter's state dict, A (B, N, N) and the number of terms, and gives f_0(A), ....
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .layers import State, total


def _eye(matrix: Tensor) -> Tensor:
    return torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)


def arma(s: State, matrix: Tensor, count: int) -> list[Tensor]:
    """(I - a_k A)^(-1), a_k = tanh(pole_k).

    Source: Bianchi et al., "Graph Neural Networks with Convolutional ARMA Filters", TPAMI 2021,
    Eqs. 8 to 10 in the limit.
    """
    return [torch.linalg.inv(_eye(matrix) - a * matrix) for a in torch.tanh(s["pole"])]


def cayley(s: State, matrix: Tensor, count: int) -> list[Tensor]:
    """I, and Re C^j and Im C^j of C = (h L - i I) (h L + i I)^(-1), L = I - A, h = exp(log_zoom).

    Source: Levie et al., "CayleyNets: Graph Convolutional Neural Networks with Complex Rational
    Spectral Filters", IEEE TSP 2019, Eqs. 4 to 7.
    """
    eye = _eye(matrix)
    scaled = torch.exp(s["log_zoom"]) * (eye - matrix)
    transform = (scaled - 1j * eye) @ torch.linalg.inv(scaled + 1j * eye)
    functions, power = [eye.expand_as(matrix)], eye.to(transform)
    for _ in range((count - 1) // 2):
        power = power @ transform
        functions += [power.real, power.imag]
    return functions


def heat(s: State, matrix: Tensor, count: int) -> list[Tensor]:
    """exp(-t (I - A)), t = exp(log_time).

    Source: Kondor, Lafferty, "Diffusion Kernels on Graphs and Other Discrete Structures", ICML
    2002, Eq. 5, with the normalised Laplacian.
    """
    return [torch.linalg.matrix_exp(torch.exp(s["log_time"]) * (matrix - _eye(matrix)))]


def spectral(s: State, matrix: Tensor, count: int) -> list[Tensor]:
    """Q B_k(Lambda) Q', B_k cubic B-splines on an even grid over [-1, 1].

    The gradient is by divided differences (Daleckii and Krein): that of torch's eigenvectors is
    not finite where eigenvalues coincide.

    Source: Bruna et al., "Spectral Networks and Locally Connected Networks on Graphs", ICLR 2014,
    section 5.2.
    """
    eigenvalues, vectors = torch.linalg.eigh(matrix.detach())
    change = vectors.mT @ (matrix - matrix.detach()) @ vectors  # zero, with the gradient of A
    rows, columns = eigenvalues.unsqueeze(2), eigenvalues.unsqueeze(1)
    close = (rows - columns).abs() < 1e-5
    spacing, functions = 2 / (count - 3), []
    for k in range(count):
        values = _spline((eigenvalues + 1) / spacing + 1 - k, 3)
        slopes = _spline(((rows + columns) / 2 + 1) / spacing + 1 - k, 2) / spacing
        quotients = (values.unsqueeze(2) - values.unsqueeze(1)) / (rows - columns).where(~close, 1)
        core = torch.diag_embed(values) + torch.where(close, slopes, quotients) * change
        functions.append(vectors @ core @ vectors.mT)
    return functions


def _spline(u: Tensor, degree: int) -> Tensor:
    """The cubic B-spline (degree 3) or its slope (2), a divided difference of truncated powers."""
    return total(
        [(-1) ** j * math.comb(4, j) * (u + 2 - j).clamp(min=0) ** degree for j in range(5)]
    ) / math.factorial(degree)


FUNCTIONS: dict[str, Callable[[State, Tensor, int], list[Tensor]]] = {
    "arma": arma,
    "cayley": cayley,
    "heat": heat,
    "spectral": spectral,
}
