"""A checkpoint is resumed by the run that wrote it, or the difference is said."""

import reprlib
import warnings
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from .errors import ConfigError

KEY = "run"  # of the settings in a checkpoint
SHOWN = 8
# What a resumed run learns with, by the first words of its key. All else may change unsaid: where
# files are written, how often, and how long the run is.
PARTS = ("model", "optim_wrapper", "param_scheduler", "train_dataloader", "train_cfg.type")
# Of these, what does not change what is learnt: weights to begin with, and testing.
FREE = ("init_cfg", "pretrained", "test_cfg")
# A checkpoint has the state of the optimizer and of the schedule: torch and mmengine overwrite with
# it what the config says, and cannot where these differ.
FIXED = ("model.", "train_cfg.type", "optim_wrapper.optimizer.type", "optim_wrapper.constructor",
         "optim_wrapper.paramwise_cfg")  # fmt: skip
STORED = ("optim_wrapper.optimizer.", "param_scheduler.")
SYNC = {"SyncBN": "BN", "MMSyncBN": "BN"}  # the same weights, see ``cpu.adapt``
ABSENT = "nothing"


@HOOKS.register_module()
class SameRunHook(Hook):
    """Stores in each checkpoint what the run learns with: ``settings`` of its config.

    ``check_same_run`` compares them when the checkpoint is resumed.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Stores them; a Runner that was built without a config has none."""
        if runner.cfg.get("model"):
            checkpoint[KEY] = settings(runner.cfg)


def settings(config: Config) -> dict[str, Any]:
    """The values of ``config`` that a resumed run has to share, by their keys."""
    values, found = config.to_dict(), {}
    for part in PARTS:
        name, _, rest = part.partition(".")
        node = values.get(name)
        if rest:
            node = (node or {}).get(rest)
        if name == "param_scheduler" and isinstance(node, dict):
            node = [node]
        found.update(_flat(node, part))
    return found


def _flat(node: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Each value in ``node`` with its key, as ``model.decode_head.block.name``."""
    if isinstance(node, dict) and node:
        for name, value in node.items():
            if name not in FREE:
                yield from _flat(value, f"{key}.{name}")
    elif isinstance(node, list | tuple) and any(isinstance(v, dict | list | tuple) for v in node):
        for i, value in enumerate(node):
            yield from _flat(value, f"{key}.{i}")
    elif isinstance(node, list | tuple):
        yield key, [_leaf(value) for value in node]
    elif node is not None:
        yield key, _leaf(node)


def _leaf(value: Any) -> Any:
    if isinstance(value, str):
        return SYNC.get(value, value)
    if isinstance(value, bool | int | float):
        return value
    return repr(getattr(value, "__qualname__", value))  # a class, in a config of pure Python


def check_same_run(config: Config, checkpoint: dict) -> None:
    """Holds ``config`` against the run that wrote ``checkpoint``, where that says what it was.

    What may change and does is a warning, with the value that is used: the optimizer's settings and
    the schedule are those of the checkpoint, as mmengine loads their state over the config's; all
    else is the config's.

    Raises:
        ConfigError: the network, the kind of optimizer or the kinds of schedules are others; by
            key, with both values.
    """
    there = checkpoint.get(KEY)
    if not isinstance(there, dict):
        return  # of a version that did not store it
    here = settings(config)
    changed = {
        key: (here.get(key, ABSENT), there.get(key, ABSENT))
        for key in {**there, **here}
        if here.get(key, ABSENT) != there.get(key, ABSENT)
    }
    fixed = {key: pair for key, pair in changed.items() if _is_fixed(key)}
    if fixed:
        lines = [f"{k} is {_short(ours)}, there {_short(theirs)}"
                 for k, (ours, theirs) in fixed.items()]  # fmt: skip
        more = f"; and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
        raise ConfigError(
            f"checkpoint={str(config.load_from)!r} is of another run, and cannot be resumed by "
            f"this config: {'; '.join(lines[:SHOWN])}{more}. Take another --work-dir"
        )
    for key, (ours, theirs) in changed.items():
        stored = key.startswith(STORED)
        used = "the checkpoint's, whose state is loaded," if stored else "the config's"
        warnings.warn(
            f"resumed with another {key}: {_short(ours)} in the config, {_short(theirs)} in the "
            f"checkpoint; {used} is used from here on",
            stacklevel=3,
        )


def _short(value: Any) -> str:
    return value if value is ABSENT else reprlib.repr(value)


def _is_fixed(key: str) -> bool:
    schedule = key.startswith("param_scheduler.") and key.endswith(".type")
    return key.startswith(FIXED) or schedule
