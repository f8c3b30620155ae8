"""The command line that the tools share, and what each argument does to the config."""

import argparse
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config, DictAction

from .config import arguments_of, load_config
from .errors import ConfigError, RunError
from .loading import first_whole
from .work_dir import checkpoints


def base_parser(description: str) -> argparse.ArgumentParser:
    """The arguments of mmsegmentation's tools that training and testing share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("config", help="a config file")
    parser.add_argument("--work-dir", help="default: the config's, or work_dirs/<config's name>")
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=DictAction,
        type=_key_value,
        metavar="KEY=VALUE",
        help='changes to the config, as model.decode_head.channels=64; lists as a,b or "[(a,b),c]"',
    )
    parser.add_argument("--launcher", choices=["none", "pytorch", "slurm", "mpi"], default="none")
    # torch.distributed.launch passes it in either spelling; torchrun sets the variable.
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0)
    return parser


# A disk that takes no more: full, over the quota, read-only, closed to this user, broken.
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.EIO)


@contextmanager
def one_line_errors(parser: argparse.ArgumentParser) -> Iterator[None]:
    """Inside it an error that a user can mend ends the process with one line.

    The status is 2 for wrong input (a ConfigError, a missing file), 1 for a run that cannot go on
    (a RunError, a disk that takes no more).
    """
    try:
        yield
    except (ConfigError, FileNotFoundError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    except RunError as error:
        parser.exit(1, f"{parser.prog}: error: {error}\n")
    except OSError as error:
        if error.errno not in DISK:
            raise
        parser.exit(1, f"{parser.prog}: error: {error}\n")


def read_config(args: argparse.Namespace) -> Config:
    """The config that ``args`` names, with launcher, work dir and options set.

    Raises:
        ConfigError: see ``load_config``.
    """
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    config = load_config(args.config, args.cfg_options)
    config.launcher = args.launcher
    config.work_dir = (
        args.work_dir or config.get("work_dir") or str(Path("work_dirs", Path(args.config).stem))
    )
    return config


def use_mixed_precision(config: Config) -> None:
    """``--amp``.

    Raises:
        ConfigError: the config has an optimizer wrapper of its own.
    """
    wrapper = config.optim_wrapper
    if wrapper.type == "OptimWrapper":
        wrapper.type, wrapper.loss_scale = "AmpOptimWrapper", "dynamic"
    elif wrapper.type != "AmpOptimWrapper":
        raise ConfigError(
            f"--amp: optim_wrapper.type={wrapper.type!r}; allowed are 'OptimWrapper' and "
            f"'AmpOptimWrapper'"
        )


def resume(config: Config, checkpoint: str) -> None:
    """``--resume``: from a file, or from the last one in the work dir with ``auto``.

    With ``auto`` and nothing there the run starts anew, so that a job that is restarted now and
    then needs one command only. A damaged one is named, and the one before it taken.

    Raises:
        ConfigError: there is no such file, or all in the work dir are damaged.
    """
    if checkpoint == "auto":
        paths = checkpoints(config.work_dir)
        if not paths:
            print(f"--resume: no checkpoint in {config.work_dir} yet; this is a new run")
            return
        checkpoint = str(first_whole(paths))
    # Runner takes load_from for the one to resume, even where it names pretrained weights.
    config.load_from, config.resume = existing(checkpoint), True


def existing(checkpoint: str) -> str:
    """``checkpoint``, if it is a file or an address.

    Raises:
        ConfigError: it is neither.
    """
    if "://" not in checkpoint and not Path(checkpoint).is_file():
        raise ConfigError(f"checkpoint={checkpoint!r}: no such file")
    return checkpoint


def show_in(config: Config, folder: str) -> None:
    """``--show-dir``: a picture of each prediction beside its label.

    Raises:
        ConfigError: the config draws no pictures, or keeps none on disk.
    """
    hook = config.default_hooks.get("visualization")
    backends = [b for b in config.visualizer.get("vis_backends", ()) if b.type == "LocalVisBackend"]
    if hook is None or not backends:
        raise ConfigError("--show-dir needs default_hooks.visualization and a LocalVisBackend in "
                          "visualizer.vis_backends")  # fmt: skip
    hook.update(draw=True, interval=1)
    backends[0].img_save_dir = os.path.abspath(folder)


# Where a metric writes the predictions that it scores, in the format of its field: mmseg's argument
# names a folder of pictures, mmdet's and ours how the names of files begin.
WRITTEN_TO = ("output_dir", "outfile_prefix")


def save_predictions(config: Config, folder: str) -> None:
    """``--out``: the test evaluators write the predictions that they score.

    To ``folder``/predictions/NAME.png (labels), predictions.bbox.json and predictions.segm.json
    (COCO's results), predictions.csv (labels of pictures) or predictions.npz (of points).

    Raises:
        ConfigError: none of the evaluators can.
    """
    evaluators = config.test_evaluator
    evaluators = evaluators if isinstance(evaluators, list) else [evaluators]
    scope, written = config.get("default_scope", "mmengine"), False
    for evaluator in evaluators:
        known = arguments_of(evaluator, scope) or set()
        for name in known.intersection(WRITTEN_TO):
            evaluator[name], written = str(Path(folder, "predictions")), True
    if not written:
        types = [evaluator.type for evaluator in evaluators]
        raise ConfigError(
            f"--out: test_evaluator.type={types} writes no predictions; allowed: a metric with an "
            f"argument {' or '.join(WRITTEN_TO)}"
        )


def _key_value(text: str) -> str:
    if "=" not in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not key=value")
    return text
