"""Verdicts: textbook numbers, and how often they are wrong where nothing differs."""

import math

import numpy as np
import pytest
from counts import count

from nonlocal_zoo.experiments.compare.judge import judge, spread, step


def scores(*values):
    return dict(enumerate(values))


def test_a_paired_t_test_by_hand():
    """d = 1, 2, 3: mean 2, s = 1, t = 2 sqrt(3) on 2 degrees; t_2(0.975) = 4.3027."""
    d = judge({"a": scores(11, 12, 13)}, scores(10, 10, 10))["a"]
    assert (d.seeds, d.mean) == (3, 2)
    assert d.low == pytest.approx(2 - 4.30265 / math.sqrt(3), abs=1e-4)
    assert d.high == pytest.approx(2 + 4.30265 / math.sqrt(3), abs=1e-4)
    t = 2 * math.sqrt(3)
    assert d.p == pytest.approx(1 - t / math.sqrt(2 + t * t))  # closed form for 2 degrees
    assert d.verdict == "inconclusive"
    mean, deviation, half = spread(scores(11, 12, 13))
    assert (mean, deviation) == (12, 1) and half == pytest.approx(2.48414, abs=1e-4)


def test_seeds_are_paired():
    """Between seeds there are 10 points, between the paired scores 1 +- 0.05."""
    none = scores(10, 20, 30, 40)
    better = scores(11.05, 20.95, 31.05, 40.95)
    assert judge({"a": better}, none)["a"].verdict == "better"
    assert judge({"a": none}, better)["a"].verdict == "worse"
    shuffled = scores(20.95, 11.05, 40.95, 31.05)
    assert judge({"a": shuffled}, none)["a"].verdict == "inconclusive"


def test_only_seeds_that_both_have_count():
    d = judge({"a": {1: 12.0, 2: 13.5, 7: 100.0}}, {0: 0.0, 1: 10.0, 2: 11.0})["a"]
    assert (d.seeds, d.mean) == (2, 2.25)
    assert judge({"a": {7: 1.0}}, {0: 0.0})["a"].verdict == "no pair"
    assert judge({"a": {}}, {})["a"].verdict == "no pair"


def test_one_seed_has_no_interval():
    d = judge({"a": scores(11)}, scores(10))["a"]
    assert (d.mean, d.verdict) == (1, "one seed")
    assert math.isnan(d.low) and math.isnan(d.p)
    assert math.isnan(spread(scores(11))[1])


def test_equal_differences():
    """Two by chance are no proof where scores go in steps of one; steps of 0.01 leave no doubt."""
    results = judge({"same": scores(1, 2), "more": scores(2, 3)}, scores(1, 2))
    assert results["same"].verdict == "identical"
    assert results["more"].verdict == "inconclusive" and results["more"].p > 0.3
    fine = judge({"more": scores(2.01, 3.52)}, scores(1.01, 2.52))["more"]
    assert fine.verdict == "better" and 0 < fine.p < 0.01
    assert judge({"more": scores(2, 3)}, scores(0, 1))["more"].verdict == "inconclusive"


@pytest.mark.parametrize(
    ("values", "wanted"),
    [([1, 2, 4], 1), ([93.75, 87.5, 100], 6.25), ([50.01, 50.03, 49.98], 0.01), ([3, 3], 0),
     ([], 0), ([0, math.pi, math.e], 0), ([0.1 + 0.2, 0.3, 0.6], 0.3)],
)  # fmt: skip
def test_step(values, wanted):
    assert step(values) == pytest.approx(wanted, abs=1e-5)


def test_holm_steps_down():
    """p = 0.0096, 0.0286, 0.0474 for three blocks: by Holm only the first is judged different."""
    none = scores(0, 0, 0, 0, 0)
    noise = np.array([-2, -1, 0, 1, 2])
    family = {name: scores(*(m + noise)) for name, m in dict(a=3.25, b=2.36, c=1.98).items()}
    raw = {name: judge({name: s}, none)[name] for name, s in family.items()}
    assert all(d.verdict == "better" for d in raw.values())
    results = judge(family, none)
    assert [results[k].verdict for k in "abc"] == ["better", "inconclusive", "inconclusive"]
    assert results["a"].p == pytest.approx(3 * raw["a"].p)
    assert results["b"].p == results["c"].p == pytest.approx(2 * raw["b"].p)
    for d in results.values():  # the interval and the p say the same
        assert (d.low > 0) == (d.p <= 0.05)
    easy = judge({**family, "b": scores(*(20 + noise))}, none)
    assert easy["b"].verdict == "better" and easy["a"].verdict == "better"


def test_where_nothing_differs_better_is_rare():
    """2,000 comparisons of five blocks, five seeds, no difference but noise shared by seed."""
    random = np.random.default_rng(0)
    better = any_verdict = 0
    for _ in range(2000):
        seeds = random.normal(0, 2, 5)
        drawn = seeds + random.normal(0, 1, (6, 5))
        family = {f"b{k}": scores(*drawn[k]) for k in range(5)}
        verdicts = {d.verdict for d in judge(family, scores(*drawn[5])).values()}
        better += "better" in verdicts
        any_verdict += bool(verdicts - {"inconclusive"})
    assert better <= 0.06 * 2000
    assert 0.02 * 2000 <= any_verdict <= 0.06 * 2000  # it does judge, and at its level


NULLS = {  # no difference, in scores that take few values
    "16 pictures, nine of ten right": lambda r, n: 100 * r.binomial(16, 0.9, n) / 16,
    "16 pictures, nearly all right": lambda r, n: 100 * r.binomial(16, 0.98, n) / 16,
    "100 pictures": lambda r, n: r.binomial(100, 0.5, n).astype(float),
    "two decimals": lambda r, n: np.round(50 + 0.02 * r.standard_normal(n), 2),
    "nearly always the same two decimals": lambda r, n: np.round(
        50.003 + 0.005 * r.standard_normal(n), 2
    ),
    "solved or not": lambda r, n: r.choice([25.0, 100.0], n),
}


@pytest.mark.trust
@pytest.mark.parametrize("draw", NULLS.values(), ids=NULLS)
@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
@pytest.mark.parametrize("blocks", [1, 5])
def test_few_values(draw, seeds, blocks):
    """The chance of any verdict stays under 5 %, and what a sample of this size adds to it."""
    random, times = np.random.default_rng(0), count(300, 2000)
    false = 0
    for _ in range(times):
        family = {f"b{k}": scores(*draw(random, seeds)) for k in range(blocks)}
        verdicts = {d.verdict for d in judge(family, scores(*draw(random, seeds))).values()}
        false += bool(verdicts & {"better", "worse"})
    assert false <= 0.05 * times + 3 * math.sqrt(0.05 * 0.95 * times)
