"""What is known of an operator whatever its numbers are, and what is asked of it."""

import pytest
import torch

from nonlocal_zoo.operators import ChannelNodes, Dense, GroupNodes, Structure, require
from nonlocal_zoo.testing import refuses

NEEDS = ("square", "symmetric", "bounded", "low_rank")
FLAGS = ("symmetric", "nonnegative", "bounded", "row_stochastic")


def test_a_mean_of_two():
    """A radius that is no norm says nothing about it; that of a symmetric operator is one."""
    walk = Structure(nonnegative=True, bounded=True, low_rank=True)
    assert walk.symmetrized() == Structure(symmetric=True, nonnegative=True, low_rank=True)
    even = Structure(symmetric=True, bounded=True)
    assert even.symmetrized() == even


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("kind", ["sym", "rw", None])
def test_normalised(kind, symmetric):
    known = Structure(symmetric=symmetric, nonnegative=True).normalized(kind)
    assert known.bounded == (kind is not None)
    assert known.symmetric == (symmetric and kind != "rw")


def test_pooled_keys_have_no_radius():
    assert not Structure(square=False, nonnegative=True).normalized("rw").bounded


@pytest.mark.parametrize("missing", NEEDS)
def test_what_is_missing_is_named(missing):
    known = Structure(**{need: need != missing for need in NEEDS})
    require(known, [need for need in NEEDS if need != missing], "the filter")
    word = dict(square="pooled keys", bounded="radius <= 1", low_rank="exact spectrum")
    refuses(
        ValueError,
        lambda: require(known, NEEDS, "the filter", "this affinity"),
        "the filter needs",
        word.get(missing, f"{missing} operator"),
        "Allowed",
    )


def test_an_operator_is_named_by_its_shape():
    pooled = Dense(torch.rand(2, 4, 3))
    refuses(ValueError, lambda: require(pooled, ("square",), "it"), "4 rows and 3 columns")
    require(Dense(torch.rand(2, 4, 4)), ("square",), "it")


@pytest.mark.parametrize("flag", FLAGS)
def test_regrouped_nodes_have_the_flags_of_theirs(flag):
    inner = Dense(torch.rand(2, 3, 3), **{flag: True})
    operator = ChannelNodes(inner)
    known = [f for f in FLAGS if getattr(operator, f)]
    assert known == [flag]
    setattr(operator, flag, False)
    assert not getattr(inner, flag)


def test_different_nodes_do_not_add_up():
    matrix = Dense(torch.rand(2, 3, 3))
    channels, groups = ChannelNodes(matrix), GroupNodes(matrix, 1)
    for other in (groups, matrix):
        refuses(ValueError, lambda o=other: channels + o, "operators on different nodes")
        refuses(ValueError, lambda o=other: channels @ o, "operators on different nodes")
