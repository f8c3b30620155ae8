"""What an affinity refuses, and what it says."""

import pytest
import torch
from tables import NORMALIZE, NOT_NORMALIZABLE, affinity_config, build_affinity, poolable

from nonlocal_zoo.registry import AFFINITIES, parameters_of
from nonlocal_zoo.signal import GraphSignal
from nonlocal_zoo.testing import refuses

NAMES = AFFINITIES.names()


@pytest.mark.parametrize("name", NAMES)
def test_unknown_normalization(name):
    """By name, with what is allowed; TypeError where it takes none at all."""
    config = {**affinity_config(name), "normalize": "symmetric"}
    taken = "normalize" in parameters_of(AFFINITIES.get(name))
    words = ("normalize", "'sym'", "'rw'") if taken else (name, "normalize")
    refuses((LookupError, TypeError), lambda: build_affinity(config), *words)


@pytest.mark.parametrize("name", sorted(NOT_NORMALIZABLE))
@pytest.mark.parametrize("kind", ["sym", "rw"])
def test_entries_of_any_sign_have_no_degree(name, kind):
    """Neither directly nor in a mixture, nor with weights of any sign."""
    with pytest.raises((TypeError, ValueError)):
        build_affinity({**affinity_config(name), "normalize": kind})
    for kernels, convex in ([affinity_config(name)], True), (["gaussian"], False):
        config = dict(type="mixture", kernels=kernels, convex=convex, normalize=kind)
        refuses(ValueError, lambda c=config: build_affinity(c), kind, "Mixture", "non-negative")


def test_what_is_always_normalized():
    for name, kinds in NORMALIZE.items():
        config = {**affinity_config(name), "normalize": None}
        refuses(LookupError, lambda c=config: build_affinity(c), "normalize=None", *kinds)


def test_mixture_needs_a_kernel():
    refuses(ValueError, lambda: build_affinity(dict(type="mixture", kernels=[])), "at least one")
    refuses(LookupError, lambda: build_affinity(dict(type="mixture", kernels=["relu"])), "relu_dot")


@pytest.mark.parametrize("name", [name for name in NAMES if poolable(name)])
def test_pooled_keys(name):
    """They need a grid, and are no square operator."""
    config = {**affinity_config(name), "subsample": True}
    affinity, x = build_affinity(config), torch.randn(1, 12, 6)
    for grid in (None, (12, 1), (1, 12)):
        refuses(ValueError, lambda g=grid: affinity(GraphSignal(x, g)), "subsample", str(grid))
    symmetric = build_affinity({**config, "symmetrize": True})
    refuses(ValueError, lambda: symmetric(GraphSignal(x, (3, 4))), "square", "12 rows", "2 columns")


@pytest.mark.parametrize("name", NAMES)
def test_wrong_channels(name):
    affinity = build_affinity(affinity_config(name))
    if list(affinity.parameters()):
        refuses(
            ValueError,
            lambda: affinity(GraphSignal(torch.randn(1, 9, 5), (3, 3))),
            "5 channels",
            "6",
        )
