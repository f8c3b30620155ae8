"""The softmax family: log-scaled rows, biased keys, masks, symmetric scores."""

import pytest
import torch

from nonlocal_zoo.operators import Softmax, formed
from nonlocal_zoo.testing import OperatorContract, assert_near, refuses, small_score_blocks


@pytest.fixture(autouse=True, params=["streamed", "formed"])
def way(request, monkeypatch):
    """Every test of this file on both ways through a small graph."""
    monkeypatch.setattr(formed, "FORMED", 2**18 if request.param == "formed" else 0)
    return request.param


def randn(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def dense_softmax(query, key, keep=None):
    scores = torch.einsum("bnd,bmd->bnm", query, key)
    if keep is not None:
        scores = torch.where(keep, scores, -torch.inf)
    e = torch.exp(scores)
    return e / e.sum(2, keepdim=True)


class TestSoftmax(OperatorContract):
    def leaves(self):
        return [randn(2, 6, 3), randn(2, 6, 3)]

    def make(self, query, key):
        return Softmax(query, key)

    def dense(self, query, key):
        return dense_softmax(query, key)


class TestSoftmaxRectangular(TestSoftmax):
    def leaves(self):
        return [randn(2, 6, 3), randn(2, 4, 3)]


class TestSoftmaxScaledRows(OperatorContract):
    """exp(a_i) softmax_j(q_i . k_j + b_j)."""

    def leaves(self):
        return [randn(2, 6, 3), randn(2, 6, 3), randn(2, 6, 1), randn(2, 6, 1)]

    def make(self, query, key, log_rows, bias):
        return Softmax(query, key, log_rows, bias)

    def dense(self, query, key, log_rows, bias):
        query = torch.cat([query, torch.ones_like(bias)], 2)
        return log_rows.exp() * dense_softmax(query, torch.cat([key, bias], 2))


class TestSoftmaxMasked(OperatorContract):
    mask = torch.tensor([[1, 1, 0, 1, 1, 1], [0, 1, 1, 1, 0, 1]], dtype=torch.bool)

    def leaves(self):
        return [randn(2, 6, 3), randn(2, 6, 3)]

    def make(self, query, key):
        return Softmax(query, key, row_mask=self.mask, key_mask=self.mask)

    def dense(self, query, key):
        dense = dense_softmax(query, key, self.mask.unsqueeze(1))
        return torch.where(self.mask.unsqueeze(2), dense, 0)


class TestSoftmaxMaskedScaledRows(TestSoftmaxMasked):
    def leaves(self):
        return [*super().leaves(), randn(2, 6, 1), randn(2, 6, 1)]

    def make(self, query, key, log_rows, bias):
        return Softmax(query, key, log_rows, bias, self.mask, self.mask)

    def dense(self, query, key, log_rows, bias):
        query = torch.cat([query, torch.ones_like(bias)], 2)
        return log_rows.exp() * super().dense(query, torch.cat([key, bias], 2))


class TestSoftmaxMaskedRows(TestSoftmaxMasked):
    """Only the rows: masked nodes do not hear, but are heard."""

    def make(self, query, key):
        return Softmax(query, key, row_mask=self.mask)

    def dense(self, query, key):
        return torch.where(self.mask.unsqueeze(2), dense_softmax(query, key), 0)


class TestSoftmaxMaskedKeys(TestSoftmaxMasked):
    def make(self, query, key):
        return Softmax(query, key, key_mask=self.mask)

    def dense(self, query, key):
        return dense_softmax(query, key, self.mask.unsqueeze(1))


class TestExponential(OperatorContract):
    """exp(S) with S symmetric: the kernel of the symmetric Gaussian."""

    mask = None

    def leaves(self):
        return [randn(2, 6, 2) / 2, randn(2, 6, 2) / 2]

    def make(self, theta, phi):
        query, key = torch.cat([theta, phi], 2), torch.cat([phi, theta], 2)
        return Softmax.exponential(query, key, self.mask)

    def dense(self, theta, phi):
        scores = theta @ phi.mT
        dense = torch.exp(scores + scores.mT)
        if self.mask is None:
            return dense
        return torch.where(self.mask.unsqueeze(1) & self.mask.unsqueeze(2), dense, 0)


class TestExponentialMasked(TestExponential):
    mask = TestSoftmaxMasked.mask


class TestExponentialInBlocks(TestExponential):
    """Log-sum-exps in blocks of two rows, computed again in the backward pass."""

    @pytest.fixture(autouse=True)
    def _small_blocks(self):
        with small_score_blocks(2 * 2 * 6):
            yield


class TestScaledRowsInBlocks(TestSoftmaxScaledRows):
    @pytest.fixture(autouse=True)
    def _small_blocks(self):
        with small_score_blocks(1):
            yield


@pytest.mark.parametrize("kind", ["sym", "rw"])
def test_large_scores_do_not_overflow(kind):
    """exp(1000) has no float64; the normalised operator has, and so has its gradient."""
    factor = (randn(1, 6, 2) * 30).requires_grad_()
    operator = Softmax.exponential(factor, factor).normalize(kind)
    scores = factor @ factor.mT
    log_degree = scores.logsumexp(2, keepdim=True)
    shift = log_degree if kind == "rw" else (log_degree + log_degree.mT) / 2
    expected = torch.exp(scores - shift)
    assert scores.max() > 1000
    assert_near(operator.to_dense(), expected)
    assert_near(operator.transpose().to_dense(), expected.mT)
    grad_out = randn(1, 6, 6)
    ours, theirs = (
        torch.autograd.grad((dense * grad_out).sum(), factor)[0]
        for dense in (operator.to_dense(), expected)
    )
    assert_near(ours, theirs, 1e-8)


def test_plain_softmax_is_normalized_already():
    operator = Softmax(randn(1, 5, 2), randn(1, 5, 2))
    assert operator.normalize("sym") is operator and operator.normalize("rw") is operator
    masked = Softmax(
        operator.query, operator.key, row_mask=torch.tensor([[True] * 3 + [False] * 2])
    )
    assert_near(masked.degree().flatten(), torch.tensor([1.0, 1, 1, 0, 0]))


def test_wrong_shapes_are_refused():
    refuses(ValueError, lambda: Softmax(randn(2, 5, 3), randn(2, 5, 4)), "(2, 5, 4)", "allowed")
    refuses(ValueError, lambda: Softmax(randn(2, 5, 3), randn(1, 5, 3)), "(1, 5, 3)", "allowed")


@pytest.mark.parametrize("wrong", [Softmax.symmetrize, lambda a: a.normalize("sym")])
def test_pooled_keys_have_no_symmetric_form(wrong):
    operator = Softmax(randn(1, 5, 2), randn(1, 3, 2))
    refuses(ValueError, lambda: wrong(operator), "square", "5 rows and 3 columns", "adjacency")


def few(batch=2, rows=40, columns=6, width=8):
    return randn(batch, rows, width), randn(batch, columns, width)


def test_what_runs_is_told(way):
    query, _ = few()
    chosen = [choice.chosen for choice in Softmax(query, query).ways(3)]
    assert chosen == [way == "streamed", way == "formed"]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("biased", [False, True])
def test_few_keys_are_formed(masked, biased):
    """The N x S softmax is then no larger than its factors; the same numbers as streamed."""
    query, key = few()
    mask = torch.ones(2, 6, dtype=torch.bool)
    rows, bias = (randn(2, 40, 1), randn(2, 6, 1)) if biased else (None, None)
    if masked:
        mask[0, 4:] = False
    operator = Softmax(query, key, rows, bias, key_mask=mask if masked else None)
    scores = torch.einsum("bnd,bmd->bnm", query, key)
    scores = scores if bias is None else scores + bias.mT
    weights = torch.where(mask.unsqueeze(1), scores, -torch.inf).exp()
    weights = weights / weights.sum(2, keepdim=True)
    weights = weights if rows is None else rows.exp() * weights
    rhs, shift = randn(2, 6, 3), randn(3)
    assert_near(operator.matmul(rhs), weights @ rhs)
    assert [way.chosen for way in operator.ways(3)] == [False, True]
    for channels_first in (False, True):
        result = operator.affine(rhs, shift, channels_first)
        assert_near(result, weights @ rhs + shift)
        assert (result.stride(1) == 1) == channels_first


def test_several_products_form_it_once(way, monkeypatch):
    """Only where it is formed at all."""
    query, key = few(columns=40)
    operator, rhs = Softmax(query, key), randn(2, 40, 3)
    expected, formed = operator.matmul(rhs), []
    monkeypatch.setattr(Softmax, "_formed", lambda self, form=Softmax._formed: (
        formed.append(self), form(self))[1])  # fmt: skip
    repeated = operator.repeated()
    for _ in range(3):
        assert_near(repeated.matmul(rhs), expected)
    assert len(formed) == (way == "formed")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", ["sym", "rw"])
def test_autocast_casts_no_scores(kind, dtype):
    query = torch.randn(1, 6, 4)
    found = []
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=dtype, enabled=enabled):
            found.append(Softmax.exponential(query, query).normalize(kind).to_dense())
    assert found[1].dtype == torch.float32 and torch.equal(*found)
