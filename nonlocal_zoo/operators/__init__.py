"""Graph operators: linear algebra over nodes, without parameters."""

from .base import Cost, GraphOperator, Product, Scaled, Sum
from .criss_cross import CrissCross
from .dense import Dense
from .diagonal import Diagonal, Identity
from .grid_average import GridAverage
from .low_rank import LowRank
from .regrouped import ChannelNodes, GroupChannels, GroupNodes, Regrouped
from .relu_sum import ReluSum
from .softmax import Softmax
from .sparse import Sparse
from .structure import Structure, require

__all__ = [
    "ChannelNodes",
    "Cost",
    "CrissCross",
    "Dense",
    "Diagonal",
    "GraphOperator",
    "GridAverage",
    "GroupChannels",
    "GroupNodes",
    "Identity",
    "LowRank",
    "Product",
    "Regrouped",
    "ReluSum",
    "Scaled",
    "Softmax",
    "Sparse",
    "Structure",
    "Sum",
    "require",
]
