"""Where a run is, and what it leaves behind if it ends here."""

from mmengine.runner import Runner

from .loading import fault
from .work_dir import checkpoints

BEGUN = "begun"  # in the message hub: iterations, as counted by AtomicCheckpointHook


def iteration(runner: Runner) -> int:
    """The iteration, from 1, that runs or has just been run; 0 before the first.

    ``runner.iter`` counts those that are over: it is one less inside an iteration and its hooks,
    and not in a validation after it.
    """
    return max(runner.iter, runner.message_hub.runtime_info.get(BEGUN, 0))


def standing(runner: Runner) -> str:
    """A sentence on what a run that cannot go on leaves behind.

    It names a checkpoint that can be resumed: no damaged one, and none with a NaN in it.
    """
    paths = checkpoints(runner.work_dir)
    for path in paths:
        if fault(path) is None:
            return f"{path} stands; --resume goes on from it"
    return "No checkpoint stands that can be resumed" if paths else "There is no checkpoint yet"
