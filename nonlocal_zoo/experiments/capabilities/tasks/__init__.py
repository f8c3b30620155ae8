"""The tasks, in the order of the tables: a file each, with what theory says of every block."""

from . import channels, clusters, mirror, recall, statistics, two_hops
from .base import NodeTask, Prediction

FILES = (statistics, recall, two_hops, mirror, clusters, channels)
TASKS: dict[str, NodeTask] = {task.name: task for file in FILES for task in file.TASKS}

__all__ = ["TASKS", "NodeTask", "Prediction"]
