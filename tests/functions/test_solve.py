"""Resolvents and heat kernels: exact ones and iterated ones, against the dense matrix."""

import math
import warnings

import pytest
import torch
from graphs import EXACT, ITERATED, MASK, NODES, gaussian, near, rand, randn, snl
from torch.autograd import gradcheck, gradgradcheck

from nonlocal_zoo.functions import HeatSeries, Resolvent, heat_kernel, resolvent
from nonlocal_zoo.functions.heat import poisson_terms
from nonlocal_zoo.functions.krylov import bicgstab, conjugate_gradients
from nonlocal_zoo.operators import Dense, LowRank, Softmax

EVERY = {**EXACT, **ITERATED}
every = pytest.mark.parametrize("name", EVERY)
iterated = pytest.mark.parametrize("name", ITERATED)
FACTORS = {
    "number": 0.6,
    "negative": -0.9,
    "tensor": torch.tensor(0.7, dtype=torch.float64),
    "per graph": torch.tensor([[[0.3]], [[-0.8]]], dtype=torch.float64),
}


def make(name):
    leaves, make = EVERY[name]
    return make(*leaves())


def inverse(matrix, a):
    return torch.linalg.inv(torch.eye(matrix.shape[1]).to(matrix) - a * matrix)


def diffusion(matrix, t):
    return torch.linalg.matrix_exp(-t * (torch.eye(matrix.shape[1]).to(matrix) - matrix))


@every
@pytest.mark.parametrize("a", FACTORS.values(), ids=FACTORS)
def test_resolvent(name, a):
    operator = make(name)
    matrix = operator.to_dense()
    result = resolvent(operator, a)
    assert isinstance(result, Resolvent) == (name in ITERATED)
    assert result.symmetric == operator.symmetric
    near(result.to_dense(), inverse(matrix, a))
    near(result.transpose().to_dense(), inverse(matrix, a).mT)
    z = randn(2, NODES, 3)
    near(result.matmul(z), inverse(matrix, a) @ z)
    assert result.cost(3).multiply_adds > 0


@every
@pytest.mark.parametrize("t", [0.0, 0.5, torch.tensor([[[2.0]], [[30.0]]])], ids=str)
def test_heat(name, t):
    operator = make(name)
    matrix = operator.to_dense()
    result = heat_kernel(operator, t)
    assert isinstance(result, HeatSeries) == (name in ITERATED)
    assert result.symmetric == operator.symmetric
    near(result.to_dense(), diffusion(matrix, t))
    near(result.transpose().to_dense(), diffusion(matrix, t).mT)
    assert result.cost(3).multiply_adds >= 0


@every
@pytest.mark.parametrize("kind", ["resolvent", "heat"])
def test_gradients(name, kind):
    leaves, make = EVERY[name]
    leaves = [leaf.requires_grad_() for leaf in leaves()]
    factor = torch.tensor([0.7, 0.4], dtype=torch.float64).reshape(2, 1, 1).requires_grad_()
    z = randn(2, NODES, 2).requires_grad_()

    def apply(factor, z, *leaves):
        operator = make(*leaves)
        if kind == "resolvent":
            return resolvent(operator, factor).matmul(z)
        return heat_kernel(operator, 3 * factor).matmul(z)

    assert gradcheck(apply, (factor, z, *leaves), fast_mode=True)


def deficient(kind):
    """A factor whose span has fewer dimensions than it has columns."""
    factor = randn(2, NODES, 4) / 4
    if kind == "zero rows":
        factor[:, :6] = 0
    elif kind == "zero column":
        factor[..., 2] = 0
    elif kind == "twin columns":
        factor[..., 2] = factor[..., 0]
    elif kind == "zero":
        factor.zero_()
    return factor


@pytest.mark.parametrize("kind", ["zero rows", "zero column", "twin columns", "zero"])
@pytest.mark.parametrize("symmetric", [True, False])
def test_gradients_of_deficient_factors(kind, symmetric):
    leaves = [deficient(kind).requires_grad_() for _ in range(2)]
    z = randn(2, NODES, 2).requires_grad_()

    def apply(z, left, right):
        operator = LowRank(left, right)
        operator = operator.symmetrize() if symmetric else operator
        return resolvent(operator, 0.5).matmul(z), heat_kernel(operator, 0.5).matmul(z)

    assert gradcheck(apply, (z, *leaves), fast_mode=True)
    assert gradgradcheck(apply, (z, *leaves), fast_mode=True)


def test_nodes_without_neighbours():
    """Zero rows of rectified factors, in float32: finite, and alone they keep what they have."""
    left, right = torch.rand(2, NODES, 3), torch.rand(2, NODES, 3)
    left[:, :4] = right[:, :4] = 0
    z = torch.randn(2, NODES, 2)
    for leaves in ([left, right], [0 * left, 0 * right]):
        leaves = [leaf.clone().requires_grad_() for leaf in leaves]
        operator = snl(*leaves)
        for function in (resolvent(operator, 0.9), heat_kernel(operator, 1e-9)):
            result = function.matmul(z)
            near(result[:, :4], z[:, :4], 1e-6)
            gradients = torch.autograd.grad(result.square().sum(), leaves, retain_graph=True)
            assert all(g.isfinite().all() for g in gradients)


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_float32_of_embeddings_of_different_scale(scale):
    left, right = rand(2, 60, 8) * scale, rand(2, 60, 8) / scale
    left[:, :5, :3] = 0
    matrix = snl(left, right).to_dense()
    narrow = snl(left.float(), right.float())
    z = randn(2, 60, 3)
    near(resolvent(narrow, -0.9).matmul(z.float()), inverse(matrix, -0.9) @ z, 2e-6)
    near(heat_kernel(narrow, 5.0).matmul(z.float()), diffusion(matrix, 5.0) @ z, 2e-6)


def test_heat_of_any_low_rank_operator():
    """Exact also where the spectrum is wide: the series is scaled by the norm of the matrix."""
    left, right = torch.linalg.qr(randn(2, NODES, 6))[0].split(3, dim=2)
    weights = torch.tensor([-40.0, 3.0, 0.5])
    for operator in (LowRank(left * weights, left), LowRank(left * weights, left + right)):
        near(heat_kernel(operator, 2.0).to_dense(), diffusion(operator.to_dense(), 2.0))


@iterated
@pytest.mark.parametrize("a", [0.9, -0.97])
def test_float32_reaches_its_tolerance(name, a):
    leaves, make = ITERATED[name]
    leaves = leaves()
    matrix, z = make(*leaves).to_dense(), randn(2, NODES, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        operator = make(*(leaf.float() for leaf in leaves))
        result = resolvent(operator, a, steps=1000).matmul(z.float())
    residual = z - (result - a * matrix @ result.double())
    assert (residual.norm(dim=1) <= 1e-4 * z.norm(dim=1)).all()


@iterated
def test_it_says_when_steps_do_not_do(name):
    operator, z = make(name), randn(2, NODES, 2).requires_grad_()
    with pytest.warns(UserWarning, match=r"2 steps did not reach a relative residual of 1.0e-09"):
        result = resolvent(operator, 0.9, tolerance=1e-9, steps=2).matmul(z)
    with pytest.warns(UserWarning, match="2 steps did not reach"):
        result.sum().backward()
    with pytest.warns(UserWarning, match="t = 5: 3 terms leave out more than"):
        heat_kernel(operator, 5.0, steps=3).matmul(z)


@iterated
def test_tolerance_is_kept(name):
    """Loose and tight: the residual is below it, and not because it is always tiny."""
    operator, z = make(name), randn(2, NODES, 3)
    matrix = operator.to_dense()
    seen = []
    for tolerance in (1e-1, 1e-3, 1e-6):
        x = resolvent(operator, 0.95, tolerance).matmul(z)
        residual = (z - x + 0.95 * matrix @ x).norm(dim=1) / z.norm(dim=1)
        assert residual.max() <= 1.01 * tolerance
        seen.append(residual.max())
        error = heat_kernel(operator, 4.0, tolerance).matmul(z) - diffusion(matrix, 4.0) @ z
        if operator.symmetric:
            assert (error.norm(dim=1) <= tolerance * z.norm(dim=1)).all()
    assert seen[0] > 1e-6


@iterated
def test_memory_does_not_grow_with_the_steps(name):
    leaves, make = ITERATED[name]
    leaves, saved = [leaf.requires_grad_() for leaf in leaves()], []
    for tolerance in (1e-1, 1e-9):
        count = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda x, count=count: count.append(1) or x, lambda x: x
        ):
            resolvent(make(*leaves), 0.95, tolerance).matmul(randn(2, NODES, 2))
        saved.append(len(count))
    assert saved[0] == saved[1]


def test_columns_of_zeros():
    z = randn(2, NODES, 3).requires_grad_()
    for operator in (gaussian(randn(2, NODES, 3)), Softmax(randn(2, NODES, 3), randn(2, NODES, 3))):
        y = resolvent(operator, 0.5).matmul(z * torch.tensor([1.0, 0, 1]))
        assert (y[..., 1] == 0).all() and (y[..., 0] != 0).all()
        y.sum().backward()
        assert z.grad.isfinite().all()


@iterated
def test_a_nan_is_not_solved(name):
    """Nor does it reach the columns beside it."""
    operator, z = make(name), randn(2, NODES, 3)
    good = resolvent(operator, 0.5).matmul(z)
    z[:, :, 1] = torch.nan
    with pytest.warns(UserWarning, match="did not reach"):
        y = resolvent(operator, 0.5).matmul(z)
    assert y[..., 1].isnan().all()
    if not name.endswith("softmax") and name != "gaussian":
        near(y[..., [0, 2]], good[..., [0, 2]])


def test_padded_nodes_keep_what_they_have():
    operator = Softmax(randn(2, NODES, 3), randn(2, NODES, 3), row_mask=MASK, key_mask=MASK)
    z = randn(2, NODES, 2)
    near(resolvent(operator, 0.9).matmul(z)[~MASK], z[~MASK])
    near(heat_kernel(operator, 2.0).matmul(z)[~MASK], math.exp(-2) * z[~MASK])


@every
def test_no_overflow_in_float32(name):
    """e^200 is not a float32, and e^-200 is zero there; what A keeps at that time remains."""
    leaves, make = EVERY[name]
    leaves, z = leaves(), randn(2, NODES, 2)
    result = heat_kernel(make(*(leaf.float() for leaf in leaves)), 200.0).matmul(z.float())
    expected = diffusion(make(*leaves).to_dense(), 200.0) @ z
    near(result.double(), expected, 1e-3)  # the power of t is in front of a rounding error of A


@every
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision(name, dtype):
    """Factors in half precision: the functions are computed and returned in float32."""
    leaves, make = EVERY[name]
    leaves = [leaf.to(dtype).requires_grad_() for leaf in leaves()]
    z = torch.randn(2, NODES, 2).to(dtype)
    operator = make(*leaves)
    with torch.autocast("cpu", dtype=dtype), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rounding of bfloat16 products is what stops it
        results = [resolvent(operator, 0.5).matmul(z), heat_kernel(operator, 1.0).matmul(z)]
    matrix = operator.to_dense().double()
    for result, exact in zip(results, (inverse(matrix, 0.5), diffusion(matrix, 1.0)), strict=True):
        assert result.dtype == torch.float32
        near(result, exact @ z.double(), 5e-2 if name in ITERATED else 2e-3)
        gradients = torch.autograd.grad(result.square().sum(), leaves, retain_graph=True)
        assert all(g.isfinite().all() for g in gradients)


def test_meta_device():
    """Costs are counted there: no values, no convergence."""
    for operator in (
        Softmax(torch.empty(1, 6, 2, device="meta"), torch.empty(1, 6, 2, device="meta")),
        snl(torch.empty(1, 6, 2, device="meta"), torch.empty(1, 6, 2, device="meta")),
    ):
        z = torch.empty(1, 6, 2, device="meta")
        a = torch.empty((), device="meta")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert resolvent(operator, a, steps=3).matmul(z).shape == z.shape
            assert heat_kernel(operator, a).matmul(z).shape == z.shape


@pytest.mark.parametrize("t", [0.0, 0.1, 3.0, 200.0])
def test_poisson_terms(t):
    """The tail by its own sum, from the other end."""
    for tolerance in (1e-3, 1e-9):
        n, enough = poisson_terms(t, tolerance, 1000)
        tail = [
            sum(math.exp(k * math.log(t) - t - math.lgamma(k + 1)) for k in range(m, m + 1500))
            if t
            else float(m == 0)
            for m in (n - 1, n)
        ]
        assert enough and tail[1] <= tolerance * 1.001 and tail[0] > tolerance * 0.999


def test_refusals():
    rectangular = Dense(randn(2, 5, 3))
    for function in (resolvent, heat_kernel):
        with pytest.raises(ValueError, match=r"square.*5 rows and 3 columns"):
            function(rectangular, 0.5)
    operator = make("gaussian")
    for function in (resolvent, heat_kernel):
        with pytest.raises(ValueError, match=r"shape \(3,\); allowed: one value"):
            function(operator, torch.rand(3))


def test_factors_of_different_scale_in_float32():
    """L_0 diag(s) and R_0 / s, with s over ten powers of ten, are as good as L_0 and R_0."""
    torch.manual_seed(0)
    left, right = (torch.randn(1, 40, 6).double() / 12 for _ in range(2))
    scale = torch.logspace(-5, 5, 6, dtype=torch.float64)
    z = torch.randn(1, 40, 3).double()
    matrix = left @ right.mT
    exact = torch.linalg.solve(torch.eye(40).double() - 0.7 * matrix, z)
    operator = LowRank((left * scale).float(), (right / scale).float())
    result = resolvent(operator, 0.7).matmul(z.float()).double()
    assert (result - exact).norm() / exact.norm() < 1e-6
    heat = torch.linalg.matrix_exp(2.0 * (matrix - torch.eye(40).double())) @ z
    result = heat_kernel(operator, 2.0).matmul(z.float()).double()
    assert (result - heat).norm() / heat.norm() < 1e-6


@pytest.mark.parametrize("symmetric", [True, False])
def test_the_last_step_counts(symmetric):
    """Three nodes take three steps: what is there then is reached, and nobody is warned."""
    matrix = rand(1, 3, 3) / 3
    matrix = (matrix + matrix.mT) / 2 if symmetric else matrix
    solve = conjugate_gradients if symmetric else bicgstab
    z = randn(1, 3, 2)
    x, reached = solve(lambda v: v - 0.5 * matrix @ v, z, 1e-6, 3)
    assert reached
    near(x - 0.5 * matrix @ x, z, 1e-6)
    assert not solve(lambda v: v - 0.5 * matrix @ v, z, 1e-6, 1)[1]


def test_what_is_known_of_the_heat_kernel_of_a_matrix():
    """Entries of exp(-t (I - A)) are those of a series of A^k."""
    for flags in ((True, True, True), (False, True, False), (False, False, True)):
        result = heat_kernel(Dense(torch.rand(1, 3, 3), *flags), 0.5)
        assert (result.symmetric, result.nonnegative, result.bounded) == flags
