"""The softmax family: log-scaled rows, biased keys, masks, symmetric scores."""

import pytest
import torch

from nonlocal_zoo.kernels import scores_at_once
from nonlocal_zoo.operators import Softmax
from nonlocal_zoo.testing import OperatorContract, assert_near, assert_no_square, refuses

WAYS = {"plain": 2**22, "streamed": 16, "a row at a time": 1}  # scores in memory


@pytest.fixture(autouse=True, params=WAYS)
def way(request):
    """Every test of this file as of a small graph, and as of one that is too large to form."""
    with scores_at_once(WAYS[request.param]):
        yield request.param


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


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("biased", [False, True])
def test_few_keys(masked, biased):
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
    rhs = randn(2, 6, 3)
    assert_near(operator.matmul(rhs), weights @ rhs)


@pytest.mark.parametrize("form", ["itself", "transposed", "sym", "rw"])
def test_large_graphs(form, way):
    """At their own size: 700 nodes have more scores than a processor's cache."""
    if way != "plain":
        pytest.skip("the thresholds as they are, once")
    factor, rhs, back = randn(1, 700, 3), randn(1, 700, 2), randn(1, 700, 2)
    leaves = [leaf.requires_grad_() for leaf in (factor, rhs)]
    scores = factor @ factor.mT
    if form in ("sym", "rw"):
        operator = Softmax.exponential(factor, factor).normalize(form)
        log_degree = scores.logsumexp(2, keepdim=True)
        shift = log_degree if form == "rw" else (log_degree + log_degree.mT) / 2
        dense = torch.exp(scores - shift)
    else:
        operator, dense = Softmax(factor, factor), scores.softmax(2)
        if form == "transposed":
            operator, dense = operator.transpose(), dense.mT
    results = []
    for y in (operator.matmul(rhs), dense @ rhs):
        results.append((y, *torch.autograd.grad((y * back).sum(), leaves)))
    for ours, theirs in zip(*results, strict=True):
        assert_near(ours, theirs)


@pytest.mark.parametrize("kind", [None, "sym"])
def test_nothing_square_is_made(kind):
    factor = torch.randn(1, 512, 4, requires_grad=True)

    def run():
        operator = Softmax.exponential(factor, factor)
        operator = operator if kind is None else operator.normalize(kind)
        result = operator.matmul(factor.sin()) + operator.transpose().matmul(factor.sin())
        result.sum().backward()

    assert_no_square(run, 512)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", ["sym", "rw"])
def test_autocast_casts_no_scores(kind, dtype):
    query = torch.randn(1, 6, 4)
    found = []
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=dtype, enabled=enabled):
            found.append(Softmax.exponential(query, query).normalize(kind).to_dense())
    assert found[1].dtype == torch.float32 and torch.equal(*found)


@pytest.mark.parametrize("kind", ["sym", "rw"])
def test_a_graph_without_nodes(kind):
    """Nobody speaks there, nobody hears, and no gradient is NaN."""
    x, rhs = randn(2, 5, 3).requires_grad_(), randn(2, 5, 2).requires_grad_()
    mask = torch.tensor([[True] * 5, [False] * 5])
    for normalized in (False, True):
        operator = Softmax.exponential(x, x, mask)
        operator = operator.normalize(kind) if normalized else operator
        y = operator.matmul(rhs)
        gradients = torch.autograd.grad((y.sin() + operator.degree()).sum(), (x, rhs))
        assert (y[1] == 0).all() and all(
            g.isfinite().all() and (g[1] == 0).all() for g in gradients
        )


def test_which_rows_sum_to_one():
    x, mask = randn(2, 5, 3), torch.arange(5) < torch.tensor([[5], [3]])
    assert Softmax(x, x).row_stochastic and Softmax(x, x, key_mask=mask).row_stochastic
    assert not Softmax(x, x, row_mask=mask).row_stochastic
    assert not Softmax(x, x, log_rows=x[..., :1]).row_stochastic
