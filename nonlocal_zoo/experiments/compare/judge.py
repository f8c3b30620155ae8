"""Which differences can be believed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

ALPHA = 0.05
Scores = Mapping[int, float]  # seed -> score


@dataclass(frozen=True)
class Difference:
    """A block minus the network without one, paired by seed.

    Attributes:
        seeds: how many pairs.
        mean: of the differences; NaN without a pair.
        low, high: a t interval for it, at the level at which Holm's procedure judges it; NaN for
            fewer than two pairs.
        p: of the paired t test, Holm-adjusted; NaN for fewer than two pairs.
        verdict: "better" or "worse" where the interval is on one side of zero, "inconclusive"
            where it is not, "identical" where all differences are exactly zero, "one seed" or
            "no pair" where there is no interval.
    """

    seeds: int
    mean: float
    low: float
    high: float
    p: float
    verdict: str


def spread(scores: Scores) -> tuple[float, float, float]:
    """(mean, sample standard deviation, half the 95 % t interval of the mean), NaN if undefined."""
    values = np.array(list(scores.values()))
    n = len(values)
    mean = values.mean() if n else math.nan
    deviation = values.std(ddof=1) if n > 1 else math.nan
    return mean, deviation, half_width(deviation, n, ALPHA)


def half_width(deviation: float, n: int, alpha: float) -> float:
    """t_{n-1}(1 - alpha/2) s / sqrt(n); NaN for n < 2."""
    return stats.t.ppf(1 - alpha / 2, n - 1) * deviation / math.sqrt(n) if n > 1 else math.nan


def step(values: Sequence[float]) -> float:
    """The largest number that all gaps between ``values`` are multiples of; 0 where there is none.

    100 / 16 for the accuracy on 16 pictures, 0.01 for a score of two decimals: what cannot be seen
    of a difference.
    """
    divisor = 0.0
    for gap in np.diff(np.unique(np.asarray(values, dtype=float))):
        while gap > 1e-6:
            divisor, gap = gap, math.fmod(divisor, gap)
            gap = 0.0 if divisor - gap < 1e-6 else gap
    return divisor if divisor > 1e-6 else 0.0


def judge(family: Mapping[str, Scores], against: Scores) -> dict[str, Difference]:
    """Each of ``family`` minus ``against``.

    Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 1979: with
    p_(1) <= ... <= p_(m), reject from the first on while p_(k) <= alpha / (m - k + 1), which keeps
    the chance of any false rejection below alpha = 0.05 whatever the dependence. The interval of
    the k-th is at the level 1 - alpha / (m - k + 1), and from the first that is not rejected on at
    its level: so it excludes zero exactly where Holm rejects. Blocks with fewer than two pairs, or
    identical to ``against``, are not in the family.

    A score that takes few values makes differences equal by chance, which have no deviation: theirs
    is taken to be the ``step`` of all scores at least.
    """
    pairs = {label: _paired(scores, against) for label, scores in family.items()}
    floor = step([s for scores in (*family.values(), against) for s in scores.values()])
    raw = {label: _p(d, floor) for label, d in pairs.items()}
    order = sorted((label for label in raw if not math.isnan(raw[label])), key=raw.__getitem__)
    adjusted, alphas = _holm([raw[label] for label in order])
    judged = dict(zip(order, zip(adjusted, alphas, strict=True), strict=True))
    return {
        label: _difference(d, floor, *judged.get(label, (math.nan, ALPHA)))
        for label, d in pairs.items()
    }


def _paired(scores: Scores, against: Scores) -> np.ndarray:
    return np.array([scores[seed] - against[seed] for seed in scores if seed in against])


def _p(differences: np.ndarray, floor: float) -> float:
    """Of the two-sided paired t test; NaN for no test."""
    n = len(differences)
    if n < 2 or not differences.any():
        return math.nan
    deviation = max(differences.std(ddof=1), floor)
    if deviation == 0:
        return 0.0
    return float(2 * stats.t.sf(abs(differences.mean()) * math.sqrt(n) / deviation, n - 1))


def _holm(p: Sequence[float]) -> tuple[list[float], list[float]]:
    """(adjusted p, level alpha at which each is judged) of ascending p."""
    m = len(p)
    adjusted = np.minimum(np.maximum.accumulate([(m - k) * p[k] for k in range(m)]), 1)
    alphas, rejecting = [], True
    for k in range(m):
        alphas.append(ALPHA / (m - k) if rejecting else alphas[-1])
        rejecting = rejecting and p[k] <= alphas[-1]
    return [*map(float, adjusted)], alphas


def _difference(differences: np.ndarray, floor: float, p: float, alpha: float) -> Difference:
    n = len(differences)
    mean = float(differences.mean()) if n else math.nan
    half = half_width(max(differences.std(ddof=1), floor), n, alpha) if n > 1 else math.nan
    low, high = float(mean - half), float(mean + half)
    if n < 2:
        verdict = "one seed" if n else "no pair"
    elif not differences.any():
        verdict = "identical"
    else:
        verdict = "better" if low > 0 else "worse" if high < 0 else "inconclusive"
    return Difference(n, mean, low, high, p, verdict)
