"""What a run was set to, kept in its checkpoints: a resumed run says what differs."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from .errors import ConfigError

KEY = "settings"  # in a checkpoint's meta
# Parts of a config: another network cannot go on from a checkpoint; of the optimizer and its
# schedule mmengine takes what the checkpoint has, whatever the config says; the rest is the
# config's.
NETWORK, RESTORED = "model", ("optim_wrapper.optimizer", "param_scheduler")
PARTS = (NETWORK, "optim_wrapper", "param_scheduler", "train_cfg", "train_dataloader")
# Where weights come from before the first iteration, and how data are read: no part of the run.
ELSEWHERE = ("init_cfg", "pretrained", "num_workers", "persistent_workers", "prefetch_factor")
SHOWN = 5


def settings_of(config: Config) -> dict[str, str]:
    """ "model.decode_head.channels" -> "64" for each value in ``PARTS``."""
    found: dict[str, str] = {}
    for part in PARTS:
        _flatten(part, config.get(part), found)
    return found


def _flatten(name: str, value: Any, found: dict[str, str]) -> None:
    if name.rpartition(".")[2] in ELSEWHERE:
        return
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list | tuple) and any(isinstance(item, dict) for item in value):
        items = list(enumerate(value))
    else:
        found[name] = repr(list(value) if isinstance(value, tuple) else value)
        return
    for key, item in items:
        _flatten(f"{name}.{key}", item, found)


def compare(now: dict[str, str], checkpoint: dict) -> list[str]:
    """Lines on what differs between ``now`` and the run that wrote ``checkpoint``.

    Checkpoints of before these settings were kept have none, and nothing is said.

    Raises:
        ConfigError: the network differs, with the keys.
    """
    then = checkpoint.get("meta", {}).get(KEY)
    if not then:
        return []
    names = [name for name in {**now, **then} if now.get(name) != then.get(name)]
    network = [name for name in names if name.split(".")[0] == NETWORK]
    if network:
        more = f" and {len(network) - SHOWN} more" if len(network) > SHOWN else ""
        differ = "; ".join(_line(name, now, then) for name in network[:SHOWN])
        raise ConfigError(
            f"--resume: the checkpoint is of another network: {differ}{more}. Allowed: the config "
            f"of that run, or load_from=CHECKPOINT without --resume to begin a run with its weights"
        )
    lines = []
    for name in names:
        restored = name.startswith(RESTORED)
        used = "the checkpoint's is used, as of all that it restores" if restored else "it is used"
        lines.append(f"--resume: {_line(name, now, then)}; {used}")
    return lines


def _line(name: str, now: dict[str, str], then: dict[str, str]) -> str:
    return f"{name} is {now.get(name, 'not set')}, and was {then.get(name, 'not set')}"


class SettingsHook(Hook):
    """Writes ``settings`` into each checkpoint of the run."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.settings = settings

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        checkpoint["meta"][KEY] = dict(self.settings)
