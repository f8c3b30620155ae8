"""What an affinity refuses, and what it says."""

import pytest
import torch
from tables import (
    EXACT_SPECTRUM,
    NORMALIZE,
    NOT_NORMALIZABLE,
    affinity_config,
    build_affinity,
    poolable,
)

from nonlocal_zoo import build_block
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
    for more in (dict(symmetrize=True), dict(normalize="sym")):  # at once, not at the first picture
        if "normalize" not in more or name not in NOT_NORMALIZABLE:
            build = lambda m=more: build_affinity({**config, **m})  # noqa: E731
            refuses(ValueError, build, "square", "subsample")


@pytest.mark.parametrize("name", NAMES)
def test_wrong_channels(name):
    """A block refuses them at the door, of an image and of any set of nodes."""
    without_values = name == "channel"
    block = build_block(
        affinity=affinity_config(name), in_channels=6, inner_channels=4, values=not without_values
    )
    nodes = GraphSignal(torch.randn(1, 9, 5), (3, 3))
    refuses(ValueError, lambda: block.on_nodes(nodes), "5 channels", "allowed: 6")
    refuses(ValueError, lambda: block(torch.randn(1, 5, 3, 3)), "(1, 5, 3, 3)", "(B, 6, *spatial)")


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_has_no_padding(name):
    affinity, x = build_affinity(affinity_config(name)).eval(), torch.randn(1, 12, 6)
    padded = GraphSignal(x, (3, 4), torch.ones(1, 12, dtype=torch.bool))
    if affinity.uses_grid:
        refuses(ValueError, lambda: affinity(padded), "the nodes of an image", "no mask")
    else:
        assert affinity(padded).shape[0] == 1


@pytest.mark.parametrize("name", sorted(EXACT_SPECTRUM))
def test_an_exact_spectrum_is_promised(name):
    assert build_affinity(affinity_config(name)).structure.low_rank


def test_inner_products_of_any_sign_have_no_degree():
    wrong = dict(type="inner_product", normalize="rw")
    refuses(ValueError, lambda: build_affinity(wrong), "normalize='rw'", "allowed: rectify=True")
