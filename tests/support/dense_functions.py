"""Filters that are functions of a matrix: by inverse, exponential and eigendecomposition."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from dense_layers import State, below, linear
from dense_zoo import Folded
from torch import Tensor


def _arma(state: State, matrix: Tensor) -> list[Tensor]:
    eye = torch.eye(matrix.shape[-1], dtype=matrix.dtype)
    return [torch.linalg.inv(eye - a * matrix) for a in torch.tanh(state["pole"])]


def _cayley(state: State, matrix: Tensor) -> list[Tensor]:
    eye = torch.eye(matrix.shape[-1], dtype=matrix.dtype)
    scaled = torch.exp(state["log_zoom"]) * (eye - matrix)
    transform = (scaled - 1j * eye) @ torch.linalg.inv(scaled + 1j * eye)
    functions, power = [eye.expand_as(matrix)], eye.to(transform)
    for _ in range((len([key for key in state if key.endswith("weight")]) - 1) // 2):
        power = power @ transform
        functions += [power.real, power.imag]
    return functions


def _heat(state: State, matrix: Tensor) -> list[Tensor]:
    eye = torch.eye(matrix.shape[-1], dtype=matrix.dtype)
    return [torch.linalg.matrix_exp(torch.exp(state["log_time"]) * (matrix - eye))]


def _spectral(state: State, matrix: Tensor) -> list[Tensor]:
    """Splines by divided differences, of the eigenvalues; no gradient where these coincide."""
    eigenvalues, vectors = torch.linalg.eigh(matrix.detach())
    count = len([key for key in state if key.endswith("weight")])
    functions = []
    for k in range(count):
        u = (eigenvalues + 1) * (count - 3) / 2 + 1 - k
        spline = sum(
            (-1) ** j * math.comb(4, j) * (u + 2 - j).clamp(min=0) ** 3 / 6 for j in range(5)
        )
        functions.append(vectors @ torch.diag_embed(spline) @ vectors.mT)
    return functions


FUNCTIONS: dict[str, Callable[[State, Tensor], list[Tensor]]] = {
    "arma": _arma,
    "cayley": _cayley,
    "heat": _heat,
    "spectral": _spectral,
}


def dense_function(name: str, state: State, matrix: Tensor | Folded, z: Tensor) -> Tensor:
    """sum_k f_k(A) z W_k + b."""
    folded = isinstance(matrix, Folded)
    functions = FUNCTIONS[name](state, matrix.matrix if folded else matrix)
    y = 0
    for k, function in enumerate(functions):
        function = replace(matrix, matrix=function) if folded else function
        y = y + linear(below(state, f"weights.{k}"), function @ z)
    return y
