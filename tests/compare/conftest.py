import importlib.util
import sys
from pathlib import Path

import pytest
from quick_configs import undrawn_curves, unformatted_configs  # noqa: F401

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))  # tiny_run
sys.path.insert(0, str(Path(__file__).parent))  # tiny_compare
if importlib.util.find_spec("mmseg") is None or importlib.util.find_spec("submitit") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def base_file(tmp_path_factory):
    """The path of a config whose cells take a second."""
    import tiny_compare

    return tiny_compare.write(tmp_path_factory.mktemp("compare"))


@pytest.fixture(scope="session")
def base(base_file):
    from nonlocal_zoo.experiments.compare.place import read_base

    return read_base(base_file)


@pytest.fixture(scope="session")
def compared(base_file, tmp_path_factory):
    """(work dir of a finished comparison, experiment -> the pictures that it was trained on)."""
    from mmengine.runner import IterBasedTrainLoop
    from tiny_compare import command

    from nonlocal_zoo.experiments.compare.command import main

    work_dir, read = tmp_path_factory.mktemp("runs") / "c", {}
    plain = IterBasedTrainLoop.run_iter

    def recording(loop, batch):
        name = loop.runner.cfg.experiment_name
        read.setdefault(name, []).append([s.img_path for s in batch["data_samples"]])
        plain(loop, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IterBasedTrainLoop, "run_iter", recording)
        assert main(command(base_file, work_dir)) == 0
    return work_dir, read
