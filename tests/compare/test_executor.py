"""Options that reach slurm, with a stand-in for its commands."""

import pytest

from nonlocal_zoo.engine.config import ConfigError
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
