"""Runs of plain mmengine that are saved and resumed: a layer with dropout on eight numbers."""

import itertools

import pytest
import torch

pytest.importorskip("mmengine")
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.evaluator import BaseMetric
from mmengine.hooks import CheckpointHook
from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader, IterBasedTrainLoop, Runner, ValLoop
from mmengine.runner.checkpoint import load_from_local
from quick_configs import unformatted_configs  # noqa: F401

NAMES = itertools.count()  # mmengine names a run by the second, and shares what has the same name


class Model(BaseModel):
    def __init__(self, read):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.read = read  # what it has been trained on

    def forward(self, x, mode):
        if mode == "loss":
            self.read.append(x.item())
            return dict(loss=torch.nn.functional.dropout(self.layer(x), 0.5).sum())
        return [self.layer(x)]


class Rising(BaseMetric):
    """Each validation is the best so far."""

    count = 0  # of validations

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        self.count += 1
        return dict(score=next(NAMES))


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """mmengine as it is, whatever was imported; its own checkpoints load."""
    monkeypatch.setitem(CheckpointLoader._schemes, "", load_from_local)
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")


def run(folder, start=None, iterations=4, validated=100, seed=0, read=None, **checkpoints):
    """Trains with the defaults of mmengine; returns the Runner."""
    data = [dict(x=torch.tensor([float(i)])) for i in range(8)]
    loader = dict(dataset=data, collate_fn=dict(type="default_collate"))
    checkpoints = dict(type=CheckpointHook, by_epoch=False, interval=2) | checkpoints
    runner = Runner(
        Model([] if read is None else read),
        str(folder),
        train_dataloader=dict(loader, batch_size=1, sampler=dict(type=InfiniteSampler)),
        val_dataloader=dict(loader, batch_size=8, sampler=dict(type=DefaultSampler)),
        train_cfg=dict(type=IterBasedTrainLoop, max_iters=iterations, val_interval=validated),
        val_cfg=dict(type=ValLoop),
        val_evaluator=[Rising()],
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1)),
        default_hooks=dict(checkpoint=checkpoints),
        load_from=start and str(start),
        resume=start is not None,
        randomness=dict(seed=seed),
        experiment_name=f"errata{next(NAMES)}",
        log_level="ERROR",
    )
    runner.train()
    return runner


def weight(runner):
    return runner.model.layer.weight.item()


def test_random_numbers_begin_anew(tmp_path):
    """mmengine 0.10.7, Runner.resume
    | the states of the generators are not saved: dropout and the like draw again what they drew in
      the first iterations
    | ExactResumeHook saves and sets them
    """
    whole = run(tmp_path)
    resumed = run(tmp_path / "b", tmp_path / "iter_2.pth")
    assert whole.model.read[2:] == resumed.model.read, "the same data"
    assert weight(whole) != weight(resumed)


def test_without_a_seed_the_order_of_the_data_is_another(tmp_path):
    """mmengine 0.10.7, Runner.resume without randomness.seed
    | takes up the checkpoint's seed after the loader is built: the data come in another order, of
      which the first part is passed over
    | take_up_seed gives it to the config first
    """
    whole = run(tmp_path, seed=None, iterations=8)
    resumed = run(tmp_path / "b", tmp_path / "iter_2.pth", seed=None, iterations=8)
    assert sorted(whole.model.read) == list(range(8)) and resumed.iter == 8
    assert resumed.model.read != whole.model.read[2:]


def test_a_validation_that_was_due_is_left_out(tmp_path):
    """mmengine 0.10.7, IterBasedTrainLoop
    | checkpoints are written before the validation of their iteration, and a resumed run begins
      after it: it is never run
    | ExactResumeHook runs it first
    """
    run(tmp_path, iterations=2)
    resumed = run(tmp_path / "b", tmp_path / "iter_2.pth", validated=2)
    (metric,) = resumed.val_loop.evaluator.metrics
    assert resumed.iter == 4 and metric.count == 1


def test_validation_changes_training(tmp_path):
    """mmengine 0.10.7, ValLoop
    | starting its loader draws from the generator that training draws from: weights depend on how
      often a run is validated
    | ExactResumeHook sets the states back after it
    """
    often, seldom = run(tmp_path, validated=1), run(tmp_path / "b")
    assert often.model.read == seldom.model.read, "the same data"
    assert weight(often) != weight(seldom)


def test_the_old_checkpoint_goes_before_the_new_one_is_there(tmp_path, monkeypatch):
    """mmengine 0.10.7, CheckpointHook(max_keep_ckpts=1)
    | removes the old checkpoint, then writes the new one in place: a full disk or a kill in between
      leaves none, and last_checkpoint names the one that was removed
    | AtomicCheckpointHook writes, renames, and then removes
    """
    save = Runner.save_checkpoint

    def full(self, folder, name, *args, **kwargs):
        if name == "iter_4.pth":
            raise OSError(28, "No space left on device")
        save(self, folder, name, *args, **kwargs)

    monkeypatch.setattr(Runner, "save_checkpoint", full)
    with pytest.raises(OSError, match="No space"):
        run(tmp_path, max_keep_ckpts=1)
    assert not list(tmp_path.glob("*.pth"))
    assert (tmp_path / "last_checkpoint").read_text().endswith("iter_2.pth")


def test_a_better_checkpoint_after_a_resume_is_not_noted(tmp_path):
    """mmengine 0.10.7, CheckpointHook(save_best=...)
    | with a best checkpoint it writes the run's last one anew, which notes the score and the file;
      the first time after a resume it does not: resumed once more, the run knows of neither
    | AtomicCheckpointHook reads from the checkpoint that there is a last one
    """
    settings = dict(iterations=3, validated=1, save_best="score", rule="greater", save_last=False)
    run(tmp_path, **settings)
    assert {"best_score_iter_3.pth", "iter_3.pth"} <= {p.name for p in tmp_path.glob("*.pth")}
    run(tmp_path / "b", tmp_path / "iter_2.pth", **settings)
    assert [path.name for path in (tmp_path / "b").glob("*.pth")] == ["best_score_iter_3.pth"]


def test_a_checkpoint_s_config_is_run(tmp_path):
    """mmengine 0.10.7, Runner.resume
    | runs meta["config"] of the checkpoint, a text, as Python, to compare numbers of GPUs
    | SafeHistoryHook takes it out before mmengine sees it
    """
    run(tmp_path, iterations=2)
    path, found = tmp_path / "iter_2.pth", tmp_path / "it ran"
    checkpoint = torch.load(path)
    checkpoint["meta"]["config"] = f"open({str(found)!r}, 'w').close()"
    torch.save(checkpoint, path)
    assert not found.exists()
    run(tmp_path / "b", path)
    assert found.exists()


def test_a_wrong_argument_shows_at_the_first_checkpoint(tmp_path):
    """mmengine 0.10.7, CheckpointHook
    | keeps arguments that it does not know, and raises when the first checkpoint is due: the
      iterations until then are lost
    | AtomicCheckpointHook looks at them before the first iteration
    """
    read = []
    with pytest.raises(TypeError, match="unexpected keyword argument 'max_keep_ckpt'"):
        run(tmp_path, read=read, max_keep_ckpt=1)
    assert len(read) == 2
