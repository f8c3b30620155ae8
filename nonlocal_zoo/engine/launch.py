"""What ``tools/train.py`` and ``tools/test.py`` do."""

import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.runner import Runner

from nonlocal_zoo import atomic

from . import arguments, faults
from .cpu import adapt, leave_group
from .errors import ConfigError, RunError
from .explain import annotation_error, reading_error
from .history import plain
from .interrupt import finishing_the_iteration
from .loading import load_plain
from .lock import locked
from .resume import take_up_seed
from .same_run import check_same_run
from .standing import BEGUN, iteration, standing
from .work_dir import latest_checkpoint

# Where launchers say which of a run's processes this is.
RANKS = {"pytorch": "RANK", "slurm": "SLURM_PROCID", "mpi": "OMPI_COMM_WORLD_RANK"}
# The names under which mmengine's Runner has hooks of its own.
OF_MMENGINE = ("runtime_info", "timer", "sampler_seed", "logger", "param_scheduler", "checkpoint")
INTERRUPTED = 128 + signal.SIGINT  # what a shell gives for a process that Ctrl-C ended


def train(argv: Sequence[str] | None = None) -> None:
    """``train.py CONFIG``: trains; ``--help`` says what else.

    Raises:
        SystemExit: wrong input; or Ctrl-C or SIGTERM, then with a line on how to go on.
    """
    parser = arguments.base_parser("Train the model of a config.")
    parser.add_argument(
        "--resume",
        nargs="?",
        const="auto",
        metavar="CHECKPOINT",
        help="go on from the last checkpoint in the work dir, or from this one",
    )
    parser.add_argument("--amp", action="store_true", help="mixed precision")
    args = parser.parse_args(argv)
    with arguments.one_line_errors(parser):
        config = arguments.read_config(args)
        if args.amp:
            arguments.use_mixed_precision(config)
        if args.resume:
            arguments.resume(config, args.resume)
    try:
        with arguments.one_line_errors(parser):  # data are looked for when the loop starts
            fit(config)
    except KeyboardInterrupt as error:
        last = latest_checkpoint(config.work_dir)
        way = f"to go on from {last} add --resume to the same command" if last else "nothing saved"
        print(f"Interrupted; {way}", file=sys.stderr)
        sys.exit(128 + (error.args[0] if error.args else signal.SIGINT))
    leave_group()


def fit(config: Config) -> Runner:
    """Trains what ``config`` says; its launcher, work dir and what to resume are set.

    Raises:
        ConfigError: it cannot run here, or the checkpoint to resume cannot be loaded, or is of a
            run with another seed or network.
        RunError: it cannot go on: the disk takes no more, the loss is not finite, another process
            trains in the same work dir.
        KeyboardInterrupt: Ctrl-C or SIGTERM; a run of one process has written a checkpoint by then.
    """
    stored = None
    if config.resume:
        checkpoint = load_plain(config.load_from)
        take_up_seed(config, checkpoint)
        check_same_run(config, checkpoint)
        stored = {k: v.shape for k, v in checkpoint.get("state_dict", {}).items()}
        del checkpoint  # a second copy is loaded by mmengine
    adapt(config)
    _leave_out_hooks(config)
    # Several processes would not all stop at the same iteration, and wait for each other.
    alone = config.launcher == "none"
    first = os.environ.get(RANKS.get(config.launcher, ""), "0") == "0"
    with (
        locked(config.work_dir) if first else nullcontext(),
        finishing_the_iteration() if alone else nullcontext() as hook,
    ):
        with faults.one_line():
            runner = Runner.from_cfg(config)
        if stored is not None:
            check_shapes(runner.model, stored, config.load_from, others=False)
        if alone:
            runner.register_hook(hook)
        try:
            runner.train()
        except (ConfigError, RunError):
            raise
        except Exception as error:
            if (told := _in_a_line(error, config, runner)) is not None:
                raise told from error
            raise
    return runner


def _leave_out_hooks(config: Config) -> None:
    """``default_hooks.data=None``: mmengine asserts that hooks other than its own are not None."""
    hooks = config.get("default_hooks") or {}
    for name in [name for name, hook in hooks.items() if hook is None and name not in OF_MMENGINE]:
        del hooks[name]


def _in_a_line(error: Exception, config: Config, runner: Runner) -> ConfigError | RunError | None:
    """What a user can do something about, of an error that training ended with."""
    begun = runner.message_hub.runtime_info.get(BEGUN, 0)  # runner.iter would build the loop
    if not begun and (told := annotation_error(error, config)) is not None:
        return told
    if (told := reading_error(error, runner)) is not None:
        return told
    if begun and isinstance(error, OSError) and error.errno in arguments.DISK:
        return RunError(f"iteration {iteration(runner)}: {error}. {standing(runner)}")
    return None


def test(argv: Sequence[str] | None = None) -> None:
    """``test.py CONFIG CHECKPOINT``: scores on the test set; ``--help`` says what else.

    Raises:
        SystemExit: wrong input.
    """
    parser = arguments.base_parser("Test a checkpoint on the test set of a config.")
    parser.add_argument("checkpoint", help="a file that train.py wrote, or a state dict")
    parser.add_argument("--show-dir", metavar="DIR", help="pictures of all predictions")
    parser.add_argument("--out", metavar="DIR", help="metrics.json and all predictions")
    args = parser.parse_args(argv)
    with arguments.one_line_errors(parser):
        config = arguments.read_config(args)
        config.load_from, config.resume = arguments.existing(args.checkpoint), False
        if args.show_dir:
            arguments.show_in(config, args.show_dir)
        if args.out:
            arguments.save_predictions(config, args.out)
        checkpoint = load_plain(args.checkpoint)
        adapt(config)
        with faults.one_line():
            runner = Runner.from_cfg(config)
        check_weights(runner.model, checkpoint.get("state_dict", checkpoint), args.checkpoint)
        try:
            metrics = runner.test()
        except Exception as error:
            if (told := annotation_error(error, config)) is not None:
                raise told from error
            raise
        if args.out and is_main_process():
            text = json.dumps(plain(metrics, "metrics"), indent=1)
            atomic.write(Path(args.out, "metrics.json"), f"{text}\n")
    leave_group()


def check_weights(model: torch.nn.Module, weights: dict, path: str) -> None:
    """Refuses weights that leave a part of the model as it was: mmengine only logs that.

    Raises:
        ConfigError: a tensor is missing or has another shape.
    """
    check_shapes(model, {name: value.shape for name, value in weights.items()}, path)


def check_shapes(
    model: torch.nn.Module, shapes: dict[str, torch.Size], path: str, others: bool = True
) -> None:
    """``check_weights`` by shapes; ``others``: tensors that the model lacks may be there.

    Raises:
        ConfigError: as above.
    """
    shapes = {name.removeprefix("module."): shape for name, shape in shapes.items()}
    wanted = {k.removeprefix("module."): v.shape for k, v in model.state_dict().items()}
    wrong = [k for k, shape in wanted.items() if shapes.get(k) != shape]
    if wrong:
        raise ConfigError(
            f"checkpoint={path!r} is not of this config: {len(wrong)} of {len(wanted)} tensors "
            f"are missing or have another shape, {', '.join(wrong[:3])} among them"
        )
    if not others and (more := [name for name in shapes if name not in wanted]):
        raise ConfigError(
            f"checkpoint={path!r} is not of this config: it has {len(more)} tensors more, "
            f"{', '.join(more[:3])} among them"
        )
