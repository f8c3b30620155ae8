"""Layers on node features that affinities, filters and blocks share.

Features are (B, N, C). Inside a block they are kept node by node (the C channels of a node side
by side), which is the fastest layout for products with tall, thin matrices; images come and go
channel by channel, as views, and no tensor is transposed on the way in.
"""

from .activation import ACTIVATIONS, activate, make_activation
from .epilogue import NOTHING, Epilogue
from .joint import project, project_jointly, sum_of_products
from .length import inverse_length, l2_normalize
from .linear import linear
from .norms import NORMS, apply_norm, make_norm
from .pool import GridPool
from .products import layout, product
from .projection import Projection

__all__ = [
    "ACTIVATIONS",
    "NORMS",
    "NOTHING",
    "Epilogue",
    "GridPool",
    "Projection",
    "activate",
    "apply_norm",
    "inverse_length",
    "l2_normalize",
    "layout",
    "linear",
    "make_activation",
    "make_norm",
    "product",
    "project",
    "project_jointly",
    "sum_of_products",
]
