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


def judge(family: Mapping[str, Scores], against: Scores) -> dict[str, Difference]:
    """Each of ``family`` minus ``against``.

    Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 1979: with
    p_(1) <= ... <= p_(m), reject from the first on while p_(k) <= alpha / (m - k + 1), which keeps
    the chance of any false rejection below alpha = 0.05 whatever the dependence. The interval of
    the k-th is at the level 1 - alpha / (m - k + 1), and from the first that is not rejected on at
    its level: so it excludes zero exactly where Holm rejects. Blocks with fewer than two pairs, or
    identical to ``against``, are not in the family.
    """
    pairs = {label: _paired(scores, against) for label, scores in family.items()}
    raw = {label: _p(d) for label, d in pairs.items()}
    order = sorted((label for label in raw if not math.isnan(raw[label])), key=raw.__getitem__)
    adjusted, alphas = _holm([raw[label] for label in order])
    judged = dict(zip(order, zip(adjusted, alphas, strict=True), strict=True))
    return {
        label: _difference(d, *judged.get(label, (math.nan, ALPHA))) for label, d in pairs.items()
    }


def _paired(scores: Scores, against: Scores) -> np.ndarray:
    return np.array([scores[seed] - against[seed] for seed in scores if seed in against])


def _p(differences: np.ndarray) -> float:
    """Of the two-sided paired t test: 0 for equal differences that are not 0, NaN for no test."""
    if len(differences) < 2 or not differences.any():
        return math.nan
    if np.ptp(differences) == 0:
        return 0.0
    return float(stats.ttest_1samp(differences, 0).pvalue)


def _holm(p: Sequence[float]) -> tuple[list[float], list[float]]:
    """(adjusted p, level alpha at which each is judged) of ascending p."""
    m = len(p)
    adjusted = np.minimum(np.maximum.accumulate([(m - k) * p[k] for k in range(m)]), 1)
    alphas, rejecting = [], True
    for k in range(m):
        alphas.append(ALPHA / (m - k) if rejecting else alphas[-1])
        rejecting = rejecting and p[k] <= alphas[-1]
    return [*map(float, adjusted)], alphas


def _difference(differences: np.ndarray, p: float, alpha: float) -> Difference:
    n = len(differences)
    mean = float(differences.mean()) if n else math.nan
    half = half_width(differences.std(ddof=1), n, alpha) if n > 1 else math.nan
    low, high = mean - half, mean + half
    if n < 2:
        verdict = "one seed" if n else "no pair"
    elif not differences.any():
        verdict = "identical"
    else:
        verdict = "better" if low > 0 else "worse" if high < 0 else "inconclusive"
    return Difference(n, mean, low, high, p, verdict)
