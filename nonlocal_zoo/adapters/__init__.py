"""Ways into other people's networks. Host packages are imported in their own folder only."""

from .insert import insert_block, insert_blocks, inserted_blocks, remove_block

__all__ = ["insert_block", "insert_blocks", "inserted_blocks", "remove_block"]
