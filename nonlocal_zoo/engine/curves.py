"""Learning curves, drawn from what mmengine logs anyway."""

import json
from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure
from mmengine.dist import master_only
from mmengine.hooks import Hook, LoggerHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from nonlocal_zoo import atomic

LOGS = "*/vis_data/scalars.json"  # LocalVisBackend: one folder, named by the time, for each start
START, NUMBER = "started_at_iter", "start_number"
NOT_METRICS = {"step", "iter", "epoch", "time", "data_time", "memory"}


def read_scalars(work_dir: str | Path) -> list[dict]:
    """What the run in ``work_dir`` logged, over all of its resumptions, in order.

    A start at iteration n (0 for a new run, else that of the checkpoint) takes the place of
    everything that was logged after n before; a validation that is run again, of the one before.
    A last line that a kill cut short is skipped.
    """
    records: list[dict] = []
    for log in _in_order([_read(path) for path in sorted(Path(work_dir).glob(LOGS))]):
        for record in log:
            if START in record:
                records = [old for old in records if old["step"] <= record[START]]
            else:
                if "lr" not in record:  # the validation of an iteration that was resumed
                    records = [r for r in records if "lr" in r or r["step"] != record["step"]]
                records.append(record)
    return records


def _read(log: Path) -> list[dict]:
    records = []
    for line in log.read_text(errors="replace").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(record, dict) and "step" in record:
            records.append(record)
    return records


def _in_order(logs: list[list[dict]]) -> Iterator[list[dict]]:
    """The logs of one folder, each after the one that it goes on from.

    Their folders are named by the clock, which may have gone back in between: the numbers of the
    starts say the order, and where there are none (logs of before they were written), a log waits
    for one that reached the iteration that it begins at.
    """
    waiting = sorted(logs, key=lambda log: log[0].get(NUMBER, 0) if log else 0)
    reached = 0
    while waiting:
        fits = (log for log in waiting if not log or log[0].get(START, 0) <= reached)
        log = next(fits, waiting[0])
        waiting.remove(log)
        reached = max([reached, *(record.get("step", 0) for record in log)])
        yield log


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
        before = [_read(path) for path in Path(runner.work_dir).glob(LOGS)]
        number = 1 + max((r.get(NUMBER, 0) for log in before for r in log), default=0)
        note = {START: runner.iter, NUMBER: number}
        runner.visualizer.add_scalars(note, step=runner.iter)
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
