"""Configs for GPUs on a machine that has none."""

import pytest
import tiny_run
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from nonlocal_zoo.engine.config import ConfigError
from nonlocal_zoo.engine.cpu import adapt

pytestmark = pytest.mark.mm


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize("launcher", ["none", "pytorch"])
def test_sync_bn_runs_as_bn_with_one_warning(no_gpu, tmp_path, monkeypatch, launcher):
    made = Config.fromfile(tiny_run.write(tmp_path / "data", norm="SyncBN"))
    made.launcher, made.work_dir, made.experiment_name = launcher, str(tmp_path), launcher
    for name, value in dict(RANK=0, WORLD_SIZE=1, LOCAL_RANK=0, MASTER_ADDR="127.0.0.1",
                            MASTER_PORT=0).items():  # fmt: skip
        monkeypatch.setenv(name, str(value))
    with pytest.warns(UserWarning, match="2 SyncBN in the config run as BN: there is no GPU") as w:
        adapt(made)
    assert len(w) == 1
    assert "SyncBN" not in str(made.model)
    try:
        Runner.from_cfg(made).train()
    finally:
        if launcher == "pytorch":
            torch.distributed.destroy_process_group()
    stored = torch.load(tmp_path / "iter_12.pth", weights_only=True)["state_dict"]
    assert "backbone.layer1.0.bn1.running_mean" in stored


@pytest.mark.parametrize(
    ("changes", "message"),
    [(dict(launcher="slurm"), "launcher='slurm'.*'none' and 'pytorch'"),
     ({"launcher": "none", "optim_wrapper.type": "AmpOptimWrapper"}, "mixed.*'OptimWrapper'")],
)  # fmt: skip
def test_what_needs_a_gpu_is_refused(no_gpu, config, changes, message):
    made = Config.fromfile(config)
    made.merge_from_dict(changes)
    with pytest.raises(ConfigError, match=message):
        adapt(made)
