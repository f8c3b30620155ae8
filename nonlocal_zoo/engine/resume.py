"""A resumed run that goes on as if it had not been interrupted."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.registry import HOOKS
from mmengine.runner import IterBasedTrainLoop, Runner

from .errors import ConfigError

KEY = "random"  # of the state in a checkpoint


def random_state() -> dict[str, Any]:
    """The states of all generators that training draws from in this process, as plain values."""
    kind, words, position, has_gauss, gauss = np.random.get_state()
    return {
        "python": list(random.getstate()),
        "numpy": [kind, torch.from_numpy(words.astype("int64")), position, has_gauss, gauss],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Sets what ``random_state`` gave. Devices that are not here are left out."""
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
    kind, words, *rest = state["numpy"]
    np.random.set_state((kind, words.cpu().numpy().astype("uint32"), *rest))
    torch.set_rng_state(state["torch"].cpu())
    for device, cuda in zip(range(torch.cuda.device_count()), state["cuda"], strict=False):
        torch.cuda.set_rng_state(cuda.cpu(), device)


def take_up_seed(config: Config, checkpoint: dict) -> None:
    """Gives ``config`` the seed of the run that wrote ``checkpoint``.

    mmengine reads it too, but after it has built the loader, whose order and workers depend on it.

    Raises:
        ConfigError: the config has another seed.
    """
    seed = checkpoint.get("meta", {}).get("seed")
    given = config.setdefault("randomness", {}).get("seed")
    if seed is None:
        return
    if given not in (None, seed):
        raise ConfigError(
            f"randomness.seed={given}: the checkpoint to go on from is of a run with {seed}; "
            f"allowed: that, or none"
        )
    config.randomness.seed = seed


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Makes a resumed run equal the uninterrupted one: on a CPU, bit for bit.

    - The states of Python's, numpy's and torch's generators are stored in each checkpoint and set
      again. Before that the loader is read from the start up to the iteration that is resumed, so
      that its workers' generators are where they were. (mmengine 0.10.7 reads it too;
      onedl-mmengine moves the sampler alone, and random pictures would differ.)
    - A validation that was due at that iteration is run first: a checkpoint is written before it,
      and mmengine would skip it.
    - Validation draws from the generators (its loader's seed) when it is first run. Here they are
      set back after it: how often a run was validated changes nothing in training.

    Without it, or from a checkpoint without states, dropout and the like draw other numbers. Runs
    by epochs get their states back, but the workers of a loader begin anew; so do those of a loop
    with onedl-mmengine's ``fast_forward_on_resume``. In several processes the states are those of
    the first one, and are not set: each begins with its seed.
    """

    def __init__(self) -> None:
        self.stored: dict | None = None
        self.training: dict | None = None  # while validation runs

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Stores the states; those of training, also where validation saves its best."""
        checkpoint[KEY] = self.training or random_state()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keeps the states for ``before_train_epoch``."""
        self.stored = checkpoint.get(KEY)

    def before_train_epoch(self, runner: Runner) -> None:
        """The first time in a resumed run: sets the states, and validates if that was due."""
        if runner.iter == 0:
            return  # a new run, from pretrained weights perhaps
        state, self.stored = self.stored, None
        loop = runner.train_loop
        if state is None or runner.world_size > 1:
            print_log("Resumed without the generators' states: random numbers differ from those "
                      "of an uninterrupted run", "current", level=30)  # fmt: skip
        else:
            forward = getattr(loop, "fast_forward_on_resume", False)
            if isinstance(loop, IterBasedTrainLoop) and not forward:
                loop.dataloader_iterator = _Advanced(loop.dataloader_iterator, runner.iter)
            set_random_state(state)  # of the validation below too, which may write the best so far
        if isinstance(loop, IterBasedTrainLoop) and _validation_due(runner):
            runner.val_loop.run()

    def before_val(self, runner: Runner) -> None:
        """Keeps training's states."""
        self.training = random_state()

    def after_val(self, runner: Runner) -> None:
        """Sets them again."""
        set_random_state(self.training)
        self.training = None


class _Advanced(Iterator):
    """``batches`` without the first ``count``, which are read here and now.

    The loop that it is given to passes over ``count`` batches again, mmengine 0.10.7 by ``next``
    and onedl-mmengine by ``skip_iter``: neither takes any.
    """

    def __init__(self, batches: Iterator, count: int) -> None:
        self.batches, self.passed_over = batches, count
        for _ in range(count):
            next(batches)

    def __next__(self) -> Any:
        if self.passed_over:
            self.passed_over -= 1
            return None
        return next(self.batches)

    def skip_iter(self, count: int) -> None:
        """Passes over ``count``."""
        self.passed_over -= count


def _validation_due(runner: Runner) -> bool:
    """Whether IterBasedTrainLoop would validate after the iteration that was run last."""
    loop = runner.train_loop
    loop._decide_current_val_interval()
    return (
        runner.val_loop is not None
        and runner.iter >= loop.val_begin
        and (runner.iter % loop.val_interval == 0 or runner.iter == loop.max_iters)
    )
