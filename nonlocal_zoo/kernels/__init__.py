"""What is fast and not obvious: tensors in, tensors out, each file with its naive formula first."""

from . import custom_ops  # noqa: F401  (registers operators of torch)
from .attention import attention
from .blockwise import in_blocks, rows_at_once, scores_at_once
from .contiguous import contiguous, contiguous_gradient
from .criss_cross import criss_cross_attention, criss_cross_log_sum_exp
from .log_sum_exp import log_sum_exp
from .nearest import nearest
from .sparse_products import sddmm, spmm

__all__ = [
    "attention",
    "contiguous",
    "contiguous_gradient",
    "criss_cross_attention",
    "criss_cross_log_sum_exp",
    "in_blocks",
    "log_sum_exp",
    "nearest",
    "rows_at_once",
    "scores_at_once",
    "sddmm",
    "spmm",
]
