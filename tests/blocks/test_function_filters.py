"""Blocks whose filter is no polynomial of the operator, by the contract of blocks."""

import warnings

import pytest
import torch

from nonlocal_zoo import build_block
from nonlocal_zoo.testing import BLOCK_CHECKS, check_autocast

SNL = dict(type="relu_dot", symmetrize=True, normalize="sym")
WALK = dict(type="latent", dim=5, normalize="rw")
PAIRS = [
    (SNL, "arma"),
    (SNL, "cayley"),
    (SNL, "heat"),
    (SNL, "spectral"),
    (WALK, "arma"),
    (WALK, "heat"),
    ("embedded_gaussian", "arma"),
    ("embedded_gaussian", "heat"),
    ("symmetric_gaussian", "cayley"),
    (dict(type="concatenation", symmetrize=True, normalize="sym"), "cayley"),
]
every_pair = pytest.mark.parametrize(
    ("affinity", "graph_filter"), PAIRS, ids=lambda x: x if isinstance(x, str) else x["type"]
)


def maker(affinity, graph_filter):
    return lambda: build_block(
        affinity=affinity, graph_filter=graph_filter, in_channels=16, inner_channels=4
    )


@every_pair
@pytest.mark.parametrize("check", BLOCK_CHECKS, ids=lambda check: check.__name__)
def test_block(affinity, graph_filter, check):
    check(maker(affinity, graph_filter))


@every_pair
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("scale", [1, 30])
def test_autocast(affinity, graph_filter, dtype, scale):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # bfloat16 products end an iteration early
        check_autocast(maker(affinity, graph_filter), dtype, scale)
