"""Where in a config the block stands."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from nonlocal_zoo.engine.config import ConfigError, load_config
from nonlocal_zoo.registry import check_arguments, choose, parameters_of

from ..tasks import NAMES, Task, get_task


@dataclass(frozen=True)
class Plan:
    """What a base config says of comparisons, under ``compare``.

    Attributes:
        places: keys that take the block's arguments: ["model.decode_head.block"], or
            ["model.backbone.insert.0.block"].
        metric: of the test evaluator; higher is better.
        pictures: indices into the test set of those that the report shows.
        task: name of a file of experiments/tasks.
        blocks: the rows where the command line names none.
    """

    places: list[str]
    metric: str
    pictures: list[int]
    task: str = "segmentation"
    blocks: list[str] = field(default_factory=list)

    def get_task(self) -> Task:
        """What ``task`` names."""
        return get_task(self.task)


def read_base(path: str | Path, options: dict[str, Any] | None = None) -> Config:
    """The base config in ``path``, with a section ``compare`` that is in order.

    Raises:
        ConfigError: it has none, or one that leads nowhere.
    """
    config = load_config(path, options)
    plan_of(config)
    if "max_iters" not in config.train_cfg:
        raise ConfigError(f"train_cfg={dict(config.train_cfg)}; allowed: a loop with max_iters")
    return config


def plan_of(config: Config) -> Plan:
    """The section ``compare``.

    Raises:
        ConfigError: there is none, or a key in it is missing, unknown or leads nowhere.
    """
    section = dict(config.get("compare") or {})
    try:
        check_arguments("compare", parameters_of(Plan), section)
        plan = Plan(**section)
        choose("task", plan.task, NAMES)
        for place in plan.places:
            _parent(config, place)
    except (TypeError, LookupError, ValueError) as error:
        raise ConfigError(
            f"compare={section}: {error}; needed is compare=dict(places=['model.decode_head.block'"
            "], metric='mIoU', pictures=[0])"
        ) from error
    return plan


def with_block(base: Config, block: dict[str, Any] | None) -> Config:
    """``base`` with ``block`` in each of its places; nothing else differs."""
    config = copy.deepcopy(base)
    for place in plan_of(base).places:
        value = None if block is None else ConfigDict(copy.deepcopy(block))
        _parent(config, place)[place.rpartition(".")[2]] = value
    return config


def _parent(config: Config, place: str) -> Any:
    """What holds the last key of ``place``. Raises KeyError, IndexError or ValueError."""
    node: Any = config
    for key in place.split(".")[:-1]:
        node = node[int(key)] if isinstance(node, list) else node[key]
    if not isinstance(node, dict):
        raise ValueError(f"places: {place!r} leads into {node!r}; allowed: a key of a dict")
    return node
