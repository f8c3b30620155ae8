"""Data that cannot be trained on end the run before its first iteration."""

import time
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from nonlocal_zoo.datasets.check import faults

from .errors import ConfigError

SHOWN = 50


def datasets_of(runner: Runner) -> list[Any]:
    """The training set, and the validation set where there is one."""
    loops = [runner.train_loop, *([] if runner.val_loop is None else [runner.val_loop])]
    return [loop.dataloader.dataset for loop in loops]


@HOOKS.register_module()
class CheckDataHook(Hook):
    """Decodes every picture and label map of the training and validation sets once.

    ``default_hooks.data=None`` leaves it out, where a set was looked at before and reading it takes
    long: 468 pictures of CamVid take 2 s of one core.

    Raises:
        ConfigError: files are missing, empty or corrupt, or labels out of range, with all paths.
    """

    def before_train(self, runner: Runner) -> None:
        """Looks, in the first process only."""
        if not is_main_process():
            return
        start = time.perf_counter()
        sets = datasets_of(runner)
        found = sorted({line for dataset in sets for line in faults(dataset)})
        if found:
            path = f"{runner.work_dir}/faults_of_data.txt"
            more = ""
            if len(found) > SHOWN:
                with open(path, "w") as file:
                    file.write("\n".join(found))
                more = f"\n... all of them are in {path}"
            lines = "\n".join(found[:SHOWN])
            raise ConfigError(f"{len(found)} faults in the data:\n{lines}{more}")
        took = time.perf_counter() - start
        print_log(f"{sum(map(len, sets))} pictures and labels are whole ({took:.1f} s)", "current")
