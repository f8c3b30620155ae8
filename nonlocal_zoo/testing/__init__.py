"""Contract checks: what every operator, affinity, filter and block must hold.

Whoever registers one of their own runs them too::

    class TestMine(OperatorContract): ...            # operators: inherit the tests
    for check in BLOCK_CHECKS: check(make_block)     # blocks, by pytest.mark.parametrize or not

They need torch alone, and raise AssertionError.
"""

from .affinities import AFFINITY_CHECKS, as_cloud, dense_normalized
from .allocation import assert_no_square, largest_allocation
from .autocast import check_autocast
from .blocks import BLOCK_CHECKS, uses_grid
from .compare import assert_near, copies, randomize_, refuses, same_tensors
from .filters import check_filter_gradients, check_filter_response
from .operators import OperatorContract

__all__ = [
    "AFFINITY_CHECKS",
    "BLOCK_CHECKS",
    "OperatorContract",
    "as_cloud",
    "assert_near",
    "assert_no_square",
    "check_autocast",
    "check_filter_gradients",
    "check_filter_response",
    "copies",
    "dense_normalized",
    "largest_allocation",
    "randomize_",
    "refuses",
    "same_tensors",
    "uses_grid",
]
