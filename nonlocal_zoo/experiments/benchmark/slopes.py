"""How something grows: a power of N fitted to measurements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LINEAR = 1.05  # a power of N that counts as linear


class Slope(NamedTuple):
    """value = factor * N^power, with the standard error of the power."""

    power: float
    error: float
    factor: float

    def __str__(self) -> str:
        return f"{self.power:.2f} ± {self.error:.2f}"


def fit(nodes: Sequence[float], values: Sequence[float]) -> Slope | None:
    """Least squares in logarithms; None of fewer than three points at different N."""
    x, y = np.log(np.asarray(nodes, float)), np.log(np.maximum(np.asarray(values, float), 1e-12))
    if len(set(x)) < 3:
        return None
    centred = x - x.mean()
    power = centred @ y / (centred @ centred)
    factor = y.mean() - power * x.mean()
    residual = y - factor - power * x
    error = np.sqrt(residual @ residual / (len(x) - 2) / (centred @ centred))
    return Slope(float(power), float(error), float(np.exp(factor)))


def growth(nodes: Sequence[float], multiply_adds: Sequence[float]) -> float:
    """The power of N with which counted work grows between the two largest sizes."""
    points = sorted(set(zip(nodes, multiply_adds, strict=True)))[-2:]
    if len(points) < 2 or points[0][1] <= 0:
        return float("nan")
    (n, work), (more, more_work) = points
    return float(np.log(more_work / work) / np.log(more / n))
