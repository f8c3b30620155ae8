"""What a block in a trained network does to a picture: maps, spectrum, response, numbers."""

from .analysis import analyse
from .command import main

__all__ = ["analyse", "main"]
