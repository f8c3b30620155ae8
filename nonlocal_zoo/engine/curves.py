"""Learning curves, drawn from what mmengine logs anyway."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure
from mmengine.dist import master_only
from mmengine.hooks import Hook, LoggerHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from nonlocal_zoo import atomic

LOGS = "*/vis_data/scalars.json"  # LocalVisBackend: one folder, named by the time, for each start
START = "started_at_iter"
NUMBER = "start_number"  # of the starts in a folder; clocks go back
NOT_METRICS = {"step", "iter", "epoch", "time", "data_time", "memory"}


class Start(NamedTuple):
    """What one start of a run logged; ``begin`` is the iteration that it went on from."""

    number: int
    begin: int
    records: list[dict]


def read_scalars(work_dir: str | Path) -> list[dict]:
    """What the run in ``work_dir`` logged, over all of its resumptions, in order.

    A start at iteration n (0 for a new run, else that of the checkpoint) takes the place of
    everything that was logged after n before; a validation that is run again, of the one before.
    Lines that cannot be read are skipped: a kill cuts the last one short.

    Starts are in the order of their numbers. Logs of earlier versions have none, and are in the
    order of their folders' names, which are times: one that goes on from an iteration that no log
    has come to yet waits for the one that has.
    """
    records: list[dict] = []
    waiting: list[Start] = []
    for start in sorted(_starts(work_dir), key=lambda start: start.number):
        waiting.append(start)
        while ready := next((s for s in waiting if s.number or _follows(s, records)), None):
            waiting.remove(ready)
            records = _joined(records, ready)
    for start in sorted(waiting, key=lambda start: start.begin):
        records = _joined(records, start)
    return records


def _starts(work_dir: str | Path) -> Iterator[Start]:
    for log in sorted(Path(work_dir).glob(LOGS)):
        start = Start(0, 0, [])
        for line in log.read_text(errors="replace").splitlines():
            try:
                record = json.loads(line)
                step = record["step"]
            except (ValueError, TypeError, KeyError):
                continue
            if START in record:  # two starts in one second have one file
                yield start
                start = Start(record.get(NUMBER, 0), record[START], [])
            elif isinstance(step, int):
                start.records.append(record)
        yield start


def _follows(start: Start, records: list[dict]) -> bool:
    """Whether ``records`` come to where ``start`` begins, but for what is logged now and then."""
    steps = [record["step"] for record in start.records]
    every = max((b - a for a, b in itertools.pairwise(steps)), default=1)
    reached = max((record["step"] for record in records), default=0)
    return reached + every > start.begin or start.begin == 0


def _joined(records: list[dict], start: Start) -> list[dict]:
    if not start.records and start.number == start.begin == 0:
        return records  # what stood in a log before its first start: nothing
    records = [old for old in records if old["step"] <= start.begin]
    for record in start.records:
        if "lr" not in record:  # the validation of an iteration that was resumed
            records = [r for r in records if "lr" in r or r["step"] != record["step"]]
        records.append(record)
    return records


def curves(records: list[dict]) -> tuple[dict[str, list], dict[str, list]]:
    """(losses, validation metrics): for each name the (iteration, value) pairs."""
    losses: dict[str, list] = {}
    metrics: dict[str, list] = {}
    for record in records:
        training = "lr" in record  # a line of the training loop; validation has no learning rate
        for name, value in record.items():
            if training and "loss" in name:
                losses.setdefault(name, []).append((record["step"], value))
            elif not training and name not in NOT_METRICS and isinstance(value, int | float):
                metrics.setdefault(name, []).append((record["step"], value))
    return losses, metrics


def draw(work_dir: str | Path) -> Path:
    """Draws ``work_dir``/curves.png: losses above, validation metrics below, against iterations.

    Returns:
        the picture's path.
    """
    figure = Figure(figsize=(8, 7), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    labels = ("training loss", "validation")
    for axis, label, lines in zip(axes, labels, curves(read_scalars(work_dir)), strict=True):
        for name, points in lines.items():
            marker = "." if len(points) < 50 else None
            axis.plot(*zip(*points, strict=True), label=name, marker=marker, linewidth=1)
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
        if lines:
            axis.legend(fontsize="small")
    axes[-1].set_xlabel("iteration")
    path = Path(work_dir) / "curves.png"
    with atomic.replacing(path) as unfinished:  # who looks while it trains sees a whole picture
        figure.savefig(unfinished, format="png", dpi=120)
    return path


@HOOKS.register_module()
class CurvesHook(Hook):
    """Draws ``curves.png`` in the run's folder after each validation and at the end.

    Raises:
        ValueError: LoggerHook puts validation at epochs, or nothing writes scalars.json.
    """

    priority = "LOW"  # after LoggerHook, which writes what is drawn

    @master_only
    def before_train(self, runner: Runner) -> None:
        """Notes in the log where this start begins, and checks that there is a log."""
        for hook in runner.hooks:
            if isinstance(hook, LoggerHook) and hook.log_metric_by_epoch:
                raise ValueError(
                    "CurvesHook: default_hooks.logger.log_metric_by_epoch=True puts validation at "
                    "epochs and training at iterations; allowed is False"
                )
        number = 1 + max((start.number for start in _starts(runner.work_dir)), default=0)
        runner.visualizer.add_scalars({START: runner.iter, NUMBER: number}, step=runner.iter)
        if not any(Path(runner.work_dir).glob(LOGS)):
            raise ValueError(
                f"CurvesHook: no {LOGS} in {runner.work_dir}: visualizer.vis_backends needs "
                "dict(type='LocalVisBackend'), and visualizer.save_dir must not be set"
            )

    @master_only
    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Draws."""
        draw(runner.work_dir)

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Draws: the last iterations may have no validation after them."""
        draw(runner.work_dir)
