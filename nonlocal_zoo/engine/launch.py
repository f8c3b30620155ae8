"""What ``tools/train.py`` and ``tools/test.py`` do."""

import json
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
from .errors import ConfigError
from .history import plain
from .interrupt import finishing_the_iteration
from .loading import load_plain
from .resume import take_up_seed
from .work_dir import latest_checkpoint

INTERRUPTED = 130  # what a shell gives for a process that Ctrl-C ended


def train(argv: Sequence[str] | None = None) -> None:
    """``train.py CONFIG``: trains; ``--help`` says what else.

    Raises:
        SystemExit: wrong input, or Ctrl-C, then with a line on how to go on.
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
    except KeyboardInterrupt:
        last = latest_checkpoint(config.work_dir)
        way = f"to go on from {last} add --resume to the same command" if last else "nothing saved"
        print(f"Interrupted; {way}", file=sys.stderr)
        sys.exit(INTERRUPTED)
    leave_group()


def fit(config: Config) -> Runner:
    """Trains what ``config`` says; its launcher, work dir and what to resume are set.

    Raises:
        ConfigError: it cannot run here, or the checkpoint to resume cannot be loaded or has
            another seed.
        RunError: it cannot go on: the disk takes no more, the loss is not finite.
        KeyboardInterrupt: Ctrl-C; a run of one process has written a checkpoint by then.
    """
    if config.resume:
        take_up_seed(config, load_plain(config.load_from))
    adapt(config)
    # Several processes would not all stop at the same iteration, and wait for each other.
    alone = config.launcher == "none"
    with finishing_the_iteration() if alone else nullcontext() as hook:
        with faults.one_line():
            runner = Runner.from_cfg(config)
        if alone:
            runner.register_hook(hook)
        runner.train()
    return runner


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
        metrics = runner.test()
        if args.out and is_main_process():
            text = json.dumps(plain(metrics, "metrics"), indent=1)
            atomic.write(Path(args.out, "metrics.json"), f"{text}\n")
    leave_group()


def check_weights(model: torch.nn.Module, weights: dict, path: str) -> None:
    """Refuses weights that leave a part of the model as it was: mmengine only logs that.

    Raises:
        ConfigError: a tensor is missing or has another shape.
    """
    weights = {name.removeprefix("module."): value for name, value in weights.items()}
    wanted = {k.removeprefix("module."): v.shape for k, v in model.state_dict().items()}
    wrong = [k for k, shape in wanted.items() if k not in weights or weights[k].shape != shape]
    if wrong:
        raise ConfigError(
            f"checkpoint={path!r} is not of this config: {len(wrong)} of {len(wanted)} tensors "
            f"are missing or have another shape, {', '.join(wrong[:3])} among them"
        )
