"""Where in a config the block stands, and what the network then costs."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, DefaultScope

from nonlocal_zoo.blocks.cost import BlockCost, block_cost
from nonlocal_zoo.engine.config import ConfigError, load_config
from nonlocal_zoo.registry import check_arguments, parameters_of


@dataclass(frozen=True)
class Plan:
    """What a base config says of comparisons, under ``compare``.

    Attributes:
        places: keys that take the block's arguments: ["model.decode_head.block"], or
            ["model.backbone.insert.0.block"].
        metric: of the test evaluator; higher is better.
        pictures: indices into the test set of those that the report shows.
    """

    places: list[str]
    metric: str
    pictures: list[int]


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
        for place in plan.places:
            _parent(config, place)
    except (TypeError, KeyError, IndexError, ValueError) as error:
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


def network_cost(config: Config) -> BlockCost:
    """Parameters and multiply-adds of the whole network on one picture, nothing allocated.

    The picture has ``model.data_preprocessor.size``, that of training.

    Raises:
        ValueError, TypeError, LookupError: the model cannot be built.
    """
    with DefaultScope.overwrite_default_scope(config.default_scope), torch.device("meta"):
        model = MODELS.build(copy.deepcopy(config.model))
    return block_cost(model, (1, 3, *config.model.data_preprocessor.size))


def _parent(config: Config, place: str) -> Any:
    """What holds the last key of ``place``. Raises KeyError, IndexError or ValueError."""
    node: Any = config
    for key in place.split(".")[:-1]:
        node = node[int(key)] if isinstance(node, list) else node[key]
    if not isinstance(node, dict):
        raise ValueError(f"places: {place!r} leads into {node!r}; allowed: a key of a dict")
    return node
