"""The contract of a graph operator, as tests to inherit."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.autograd import gradcheck

from ..operators import Dense, GraphOperator
from .affinities import dense_normalized
from .compare import assert_near, refuses


class OperatorContract:
    """Subclasses say how to make an operator and what it is densely.

        class TestLowRank(OperatorContract):
            def leaves(self): return [torch.randn(2, 7, 3).double(), torch.randn(2, 7, 3).double()]
            def make(self, left, right): return LowRank(left, right)
            def dense(self, left, right): return left @ right.mT

    ``leaves`` are float64 tensors (drawn anew at each call), and both others are functions of
    them alone.
    """

    def leaves(self) -> list[Tensor]:
        raise NotImplementedError

    def make(self, *leaves: Tensor) -> GraphOperator:
        raise NotImplementedError

    def dense(self, *leaves: Tensor) -> Tensor:
        raise NotImplementedError

    def both(self) -> tuple[GraphOperator, Tensor]:
        leaves = self.leaves()
        return self.make(*leaves), self.dense(*leaves)

    def same(self, operator: GraphOperator, dense: Tensor, what: str) -> None:
        """All that an operator can be asked for, against a dense matrix."""
        assert tuple(operator.shape) == tuple(dense.shape), what
        assert str(tuple(dense.shape)) in repr(operator), what
        assert_near(operator.to_dense(), dense, what=f"{what}, to_dense")
        assert_near(operator.transpose().to_dense(), dense.mT, what=f"{what}, transpose")
        assert_near(operator.degree(), dense.sum(2, keepdim=True), what=f"{what}, degree")
        batch, rows, columns = dense.shape
        for channels in (1, 3, 2 * columns):
            rhs = torch.randn(batch, columns, channels).double()
            assert_near(operator.matmul(rhs), dense @ rhs, what=f"{what}, matmul")
            assert_near(operator @ rhs, dense @ rhs, what=f"{what}, @")
            rhs = torch.randn(batch, rows, channels).double()
            transposed = operator.transpose()
            assert_near(transposed.matmul(rhs), dense.mT @ rhs, what=f"{what}, transposed matmul")
            back = transposed.transpose().to_dense()
            assert_near(back, dense, what=f"{what}, transposed twice")
        if operator.symmetric:
            assert_near(dense.mT, dense, what=f"{what} says that it is symmetric")
        if operator.nonnegative:
            assert (dense >= -1e-12).all(), f"{what} says that it is non-negative"
        assert operator.transpose().symmetric == operator.symmetric, what
        assert operator.transpose().nonnegative == operator.nonnegative, what

    def test_itself(self) -> None:
        operator, dense = self.both()
        assert operator.dtype == torch.float64 and operator.device == dense.device
        self.same(operator, dense, type(operator).__name__)
        cost = operator.cost(8)
        assert cost.multiply_adds >= 0 and cost.bytes >= 0

    def test_wrong_rhs(self) -> None:
        operator, dense = self.both()
        for nodes in (dense.shape[2] + 1, dense.shape[2] - 1, 1):
            rhs = torch.randn(dense.shape[0], nodes, 2).double()
            refuses((ValueError, RuntimeError), lambda rhs=rhs: operator.matmul(rhs))

    def test_algebra(self) -> None:
        operator, dense = self.both()
        batch, rows, columns = dense.shape
        matrix = torch.randn(batch, rows, columns).double()
        other = Dense(matrix)
        self.same(operator + other, dense + matrix, "A + B")
        self.same(other - operator, matrix - dense, "B - A")
        self.same(operator + operator + other, 2 * dense + matrix, "A + A + B")
        self.same(-operator, -dense, "-A")
        self.same(operator * 2, 2 * dense, "A 2")
        self.same(-0.5 * operator, -0.5 * dense, "-A/2")
        self.same((operator + other) * 3, 3 * (dense + matrix), "(A + B) 3")
        factor = torch.randn(batch, 1, 1).double()
        self.same(operator * factor, factor * dense, "A f")
        self.same(operator * factor[0, 0, 0], factor[0, 0, 0] * dense, "A f_0")
        self.same(operator @ other.transpose(), dense @ matrix.mT, "A B'")
        self.same(other.transpose() @ operator, matrix.mT @ dense, "B' A")
        self.same(operator.transpose() @ operator, dense.mT @ dense, "A' A")

    def test_scale(self) -> None:
        operator, dense = self.both()
        batch, nodes, others = dense.shape
        rows = torch.randn(batch, nodes, 1).double()
        columns = torch.randn(1, others, 1).double()
        expected = rows * dense * columns.mT
        self.same(operator.scale(rows, columns), expected, "scale")
        self.same(
            operator.scale(rows, columns).scale(rows, columns),
            rows * expected * columns.mT,
            "scaled twice",
        )
        if nodes == others:
            self.same(operator.scale(rows, rows), rows * dense * rows.mT, "same scale")
        self.same(operator.scale(rows, None), rows * dense, "scaled rows")
        self.same(operator.scale(None, columns), dense * columns.mT, "scaled columns")
        self.same(operator.scale(None, None), dense, "not scaled")
        self.same(operator.scale(2.0, -0.5), -dense, "scaled by numbers")
        numbers_and_rows = operator.scale(None, 3.0).scale(rows, 2.0)
        self.same(numbers_and_rows, 6 * rows * dense, "scaled by numbers, and rows")
        two, three = torch.full((1, 1, 1), 2.0).double(), torch.full((1, 1, 1), 3.0).double()
        self.same(operator.scale(two, three), 6 * dense, "numbers on both sides")

    def derived(self, operator: GraphOperator) -> Iterator[tuple[str, Callable, Callable]]:
        """(name, of the operator, of the dense matrix) of all legal forms of this operator."""
        yield "itself", lambda a: a, lambda a: a
        square = operator.square
        if square:
            yield "symmetrize", lambda a: a.symmetrize(), lambda a: (a + a.mT) / 2
        if not operator.nonnegative:
            return
        yield "rw", lambda a: a.normalize("rw"), lambda a: dense_normalized(a, "rw")
        if square:
            for kind in ("sym", "rw"):
                yield (
                    f"symmetrize {kind}",
                    lambda a, kind=kind: a.symmetrize().normalize(kind),
                    lambda a, kind=kind: dense_normalized((a + a.mT) / 2, kind),
                )
            yield "sym", lambda a: a.normalize("sym"), lambda a: dense_normalized(a, "sym")
            yield (
                "sym twice",
                lambda a: a.normalize("sym").normalize("sym"),
                lambda a: dense_normalized(dense_normalized(a, "sym"), "sym"),
            )

    def test_derived(self) -> None:
        operator, dense = self.both()
        for name, of_operator, of_dense in self.derived(operator):
            result = of_operator(operator)
            self.same(result, of_dense(dense), name)
            if name.startswith("symmetrize") and not name.endswith("rw"):
                assert result.symmetric, name
        if not operator.square:
            refuses(ValueError, operator.symmetrize, "square", "adjacency")
        if not operator.square and operator.nonnegative:
            refuses(ValueError, lambda: operator.normalize("sym"), "square")
        if not operator.nonnegative:
            refuses(ValueError, lambda: operator.normalize("rw"), "non-negative", "rw")
        refuses(LookupError, lambda: operator.normalize("symmetric"), "sym", "rw")

    def test_gradients(self) -> None:
        leaves = [leaf.requires_grad_() for leaf in self.leaves()]
        operator = self.make(*leaves)
        batch, rows, columns = operator.shape
        rhs = torch.randn(batch, columns, 2).double().requires_grad_()
        back = torch.randn(batch, rows, 2).double().requires_grad_()
        for name, form, _ in self.derived(operator):
            for function in (
                lambda rhs, back, *leaves, form=form: form(self.make(*leaves)).matmul(rhs),
                lambda rhs, back, *leaves, form=form: (
                    form(self.make(*leaves)).transpose().matmul(back)
                ),
                lambda rhs, back, *leaves, form=form: form(self.make(*leaves)).degree() + 0 * back,
            ):
                assert gradcheck(function, (rhs, back, *leaves), fast_mode=True), name

    def test_nothing_is_mutated(self) -> None:
        leaves = self.leaves()
        operator = self.make(*leaves)
        rhs = torch.randn(operator.shape[0], operator.shape[2], 3).double()
        before = [leaf.clone() for leaf in (rhs, *leaves)]
        for _, form, _ in self.derived(operator):
            form(operator).matmul(rhs)
            form(operator).transpose()
            form(operator).degree()
        for leaf, copy in zip((rhs, *leaves), before, strict=True):
            assert torch.equal(leaf, copy)

    def test_dtypes(self) -> None:
        """The wider dtype of the two; float16 may widen to float32; degrees are never half."""
        leaves = self.leaves()
        for mine, rhs_dtype, tolerance in (
            (torch.float64, torch.float32, 1e-6),
            (torch.float32, torch.float64, 1e-5),
            (torch.bfloat16, torch.float32, 1e-1),
            (torch.bfloat16, torch.bfloat16, 1e-1),
            (torch.float16, torch.float16, 1e-2),
        ):
            operator = self.make(*(leaf.to(mine) for leaf in leaves))
            assert operator.dtype == mine or (mine == torch.float16)
            dense = self.dense(*(leaf.to(mine).double() for leaf in leaves))
            rhs = torch.randn(dense.shape[0], dense.shape[2], 3).to(rhs_dtype)
            result = operator.matmul(rhs)
            wider = torch.promote_types(mine, rhs_dtype)
            allowed = (wider, torch.float32) if wider == torch.float16 else (wider,)
            assert result.dtype in allowed, f"{mine} {rhs_dtype} gives {result.dtype}"
            assert_near(result, dense @ rhs.double(), tolerance, f"{mine} {rhs_dtype}")
            degree = operator.degree()
            assert degree.dtype == torch.promote_types(mine, torch.float32), degree.dtype
