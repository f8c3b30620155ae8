"""Options that reach slurm, with a stand-in for its commands; signals that reach the cells."""

import signal

import pytest

from nonlocal_zoo.engine.config import ConfigError
from nonlocal_zoo.experiments.compare import schedule
from nonlocal_zoo.experiments.compare.command import slurm_options
from nonlocal_zoo.experiments.compare.executor import Launch, make_executor


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A folder with commands that answer as slurm's do."""
    for name in ("sbatch", "srun", "sacct"):
        path = tmp_path / name
        path.write_text("#!/bin/sh\necho 'Submitted batch job 12'\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path


def test_options_reach_the_submission_file(slurm, tmp_path):
    words = ["--slurm-partition", "gpu", "--slurm-gpus-per-node=2", "--slurm-time", "600",
             "--slurm-comment", "a=b"]  # fmt: skip
    options = slurm_options(words)
    assert options == dict(partition="gpu", gpus_per_node=2, time=600, comment="a=b")
    executor = make_executor(Launch("slurm", slurm=options), tmp_path / "jobs")
    job = executor.submit(print, 1)
    assert job.job_id == "12"
    text = next((tmp_path / "jobs").glob("*submission*.sh")).read_text()
    for line in ("partition=gpu", "gpus-per-node=2", "time=600", "comment=a=b"):
        assert line in text.replace('"', "")


def test_an_option_that_slurm_does_not_have(slurm, tmp_path):
    with pytest.raises(ConfigError, match="partitoin"):
        make_executor(Launch("slurm", slurm=dict(partitoin="gpu")), tmp_path)


def test_without_slurm(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="--executor slurm"):
        make_executor(Launch("slurm"), tmp_path)


def test_cells_share_the_threads(monkeypatch):
    monkeypatch.setattr("torch.get_num_threads", lambda: 8)
    assert [Launch(jobs=jobs).threads for jobs in (1, 2, 3, 9)] == [8, 4, 2, 1]
    assert Launch("slurm", jobs=2).threads is None


def test_terminated_it_stops_its_cells(tmp_path, monkeypatch):
    """As at Ctrl-C; else they would train on, alone."""
    cancelled, before = [], signal.getsignal(signal.SIGTERM)

    class Waiting:
        state, iteration = "new", staticmethod(int)

        def __init__(self, label):
            self.label = label

    class Job:
        def __init__(self, name):
            self.name = name

        def done(self):
            signal.raise_signal(signal.SIGTERM)

        def cancel(self):
            cancelled.append(self.name)

    monkeypatch.setattr(schedule, "submit", lambda executor, launch, cell, slot: Job(cell.label))
    cells = [Waiting(f"cell {k}") for k in range(3)]
    with pytest.raises(KeyboardInterrupt):
        schedule.run_cells(cells, 10, Launch(jobs=2), tmp_path)
    assert cancelled == ["cell 0", "cell 1"] and signal.getsignal(signal.SIGTERM) is before
