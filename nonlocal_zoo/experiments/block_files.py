"""``save_block`` and ``load_block`` under the path that they had before they were at the top."""

from ..block_files import load_block, save_block

__all__ = ["load_block", "save_block"]
