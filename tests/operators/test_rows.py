"""Rows of an operator that is not formed."""

import pytest
import torch
from graphs import EXACT, ITERATED, near, randn
from tables import affinity_config, build_affinity

from nonlocal_zoo.operators import ChannelNodes, Dense
from nonlocal_zoo.registry import AFFINITIES
from nonlocal_zoo.signal import GraphSignal
from nonlocal_zoo.testing import assert_no_square, randomize_, refuses


@pytest.mark.parametrize("name", [*EXACT, *ITERATED])
def test_rows(name):
    leaves, make = {**EXACT, **ITERATED}[name]
    operator = make(*leaves())
    near(operator.rows([4, 0, 4]), operator.to_dense()[:, [4, 0, 4]])


@pytest.mark.parametrize("name", AFFINITIES.names())
def test_of_every_affinity(name):
    affinity = randomize_(build_affinity(affinity_config(name)).double()).eval()
    operator = affinity(GraphSignal(randn(2, 12, 6), (4, 3)))
    chosen = [0, operator.shape[1] - 1]
    near(operator.rows(chosen), operator.to_dense()[:, chosen])


@pytest.mark.parametrize("name", ["embedded_gaussian", "relu_dot", "concatenation", "latent",
                                  "disentangled", "double_attention", "criss_cross"])  # fmt: skip
def test_no_matrix_is_formed(name):
    affinity = build_affinity(affinity_config(name)).eval()
    operator = affinity(GraphSignal(torch.randn(1, 1024, 6), (32, 32)))
    with torch.no_grad():
        assert_no_square(lambda: operator.rows([0, 17, 1023]), 1024)


def test_pooled_keys_and_folded_nodes():
    matrix = randn(2, 6, 4)
    near(Dense(matrix).rows([5]), matrix[:, 5:])
    near(ChannelNodes(Dense(matrix @ matrix.mT)).rows([1, 2]), (matrix @ matrix.mT)[:, 1:3])


def test_refusals():
    for wrong in (-1, 6):
        refuses(ValueError, lambda wrong=wrong: Dense(randn(1, 6, 4)).rows([0, wrong]),
                f"[{wrong}]", "0 to 5")  # fmt: skip
