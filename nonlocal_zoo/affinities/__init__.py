"""Affinities: modules that turn node features into a graph operator."""

from . import (  # noqa: F401
    channel,
    compact,
    concatenation,
    criss_cross,
    disentangled,
    dot_product,
    double_attention,
    embedded_gaussian,
    expectation_maximization,
    gaussian,
    global_pooling,
    graph,
    identity,
    inner_product,
    knn,
    latent,
    mixture,
    nearest,
    pyramid,
    reasoning,
    relu_dot,
    symmetric_gaussian,
)
from .base import Affinity

__all__ = ["Affinity"]
