"""Graph operators: linear algebra over nodes, without parameters."""

from . import opaque  # noqa: F401  (registers operators of torch)
from .base import Cost, GraphOperator
from .chain import chain_matmul
from .channel_graphs import ChannelNodes, GroupChannels, GroupNodes
from .choice import Choice
from .criss_cross import CrissCross
from .cross_softmax import CrossSoftmax
from .dense import Dense
from .density import Density
from .diagonal import Diagonal, Identity
from .formed import is_small
from .grid_average import GridAverage
from .heat import Heat
from .low_rank import LowRank
from .node_factor import NodeFactor
from .node_low_rank import NodeLowRank
from .product import Product
from .relu_sum import ReluSum
from .resolvent import Resolvent
from .scaled import Scaled
from .softmax import Softmax
from .sparse import Sparse
from .spectrum import Spectrum
from .streaming import few_blocks
from .sum import Sum

__all__ = [
    "ChannelNodes",
    "Choice",
    "Cost",
    "CrissCross",
    "CrossSoftmax",
    "Dense",
    "Density",
    "Diagonal",
    "GraphOperator",
    "GridAverage",
    "GroupChannels",
    "GroupNodes",
    "Heat",
    "Identity",
    "LowRank",
    "NodeFactor",
    "NodeLowRank",
    "Product",
    "ReluSum",
    "Resolvent",
    "Scaled",
    "Softmax",
    "Sparse",
    "Spectrum",
    "Sum",
    "chain_matmul",
    "few_blocks",
    "is_small",
]
