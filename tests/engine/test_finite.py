"""A loss or weight that is not finite ends the run: the iteration, the layer, what stands."""

import re

import pytest
import tiny_run
import torch
from mmengine.hooks import Hook

from nonlocal_zoo.engine.arguments import resume
from nonlocal_zoo.engine.errors import RunError
from nonlocal_zoo.engine.loading import load_plain
from nonlocal_zoo.engine.work_dir import latest_checkpoint

pytestmark = pytest.mark.mm


class Spoil(Hook):
    """Makes something bad before (or after) the step of iteration 6, counted from 1."""

    def __init__(self, spoil, after=False):
        self.spoil, self.after = spoil, after

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 5 and not self.after:
            self.spoil(runner.model, data_batch)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 5 and self.after:
            self.spoil(runner.model, data_batch)


@torch.no_grad()
def weight(model, batch):
    model.backbone.layer1[1].conv2.weight[0, 0, 0, 0] = torch.nan


@torch.no_grad()
def overflow(model, batch):
    model.backbone.layer1[0].bn1.weight.fill_(3e38)


def picture(model, batch):
    batch["inputs"][0] = batch["inputs"][0].float().fill_(torch.inf)


def loss(model, batch):
    head = type(model.decode_head.loss_decode)
    body = {"forward": lambda self, *args, **kwargs: head.forward(self, *args, **kwargs) / 0}
    model.decode_head.loss_decode.__class__ = type("Broken", (head,), body)


@pytest.mark.parametrize(
    ("spoil", "where"),
    [
        (weight, r"backbone\.layer1\.1\.conv2 \(Conv2d\): its input is finite, its weight is not"),
        (overflow, r"backbone\.layer1\.0\.\w+ \(\w+\): its input is finite, its parameters are fi"),
        (picture, r"the input of the model is not finite"),
        (loss, r"decode_head\.loss_decode \(Broken\): its input is finite, its parameters are fin"),
    ],
)
def test_the_loss(config, tmp_path, spoil, where):
    runner = tiny_run.runner(config, tmp_path)
    runner.register_hook(Spoil(spoil))
    with pytest.raises(RunError, match=r"iteration 6: decode\.loss_ce=(nan|inf); ") as error:
        runner.train()
    error.match(where)
    last = latest_checkpoint(tmp_path)
    assert last.endswith("iter_4.pth") and f"{last} stands" in str(error.value)
    before = load_plain(last)["state_dict"].values()
    assert all(v.isfinite().all() for v in before)


def test_nothing_is_learnt_from_it(config, tmp_path):
    runner = tiny_run.runner(config, tmp_path)
    runner.register_hook(Spoil(picture))
    with pytest.raises(RunError):
        runner.train()
    assert all(p.isfinite().all() for p in runner.model.parameters())


def variance(model, batch):
    model.backbone.bn1.running_var.fill_(torch.nan)


@pytest.mark.parametrize("spoil", [weight, variance])
def test_bad_weights_are_not_written(config, tmp_path, spoil):
    """The loss of iteration 6 was fine, the checkpoint that is due after it is not."""
    runner = tiny_run.runner(config, tmp_path, default_hooks__checkpoint__interval=3)
    runner.register_hook(Spoil(spoil, after=True), priority="HIGH")
    with pytest.raises(RunError, match=r"iteration 6: 1 tensors of the model are not finite, back"):
        runner.train()
    assert [p.name for p in tmp_path.glob("*.pth*")] == ["iter_3.pth"]


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_bad_states_of_the_optimizer_are_not_written(config, tmp_path, value):
    runner = tiny_run.runner(config, tmp_path, default_hooks__checkpoint__interval=3)

    def momentum(model, batch):
        state = next(iter(runner.optim_wrapper.optimizer.state.values()))
        state["momentum_buffer"].view(-1)[0] = value

    runner.register_hook(Spoil(momentum, after=True), priority="HIGH")
    words = r"iteration 6: 1 tensors of the optimizer's state are not finite, optimizer\.state\.\d"
    with pytest.raises(RunError, match=words) as error:
        runner.train()
    assert [p.name for p in tmp_path.glob("*.pth*")] == ["iter_3.pth"]
    assert f"{tmp_path}/iter_3.pth stands" in str(error.value)


def test_what_is_advised_can_be_resumed(config, tmp_path, capsys):
    """Not a checkpoint with a NaN in it, as earlier versions wrote them; nor does --resume."""
    runner = tiny_run.runner(config, tmp_path, default_hooks__checkpoint__interval=2,
                             default_hooks__checkpoint__max_keep_ckpts=-1)  # fmt: skip
    runner.register_hook(Spoil(weight))

    def older(model, batch):
        stored = load_plain(str(tmp_path / "iter_4.pth"))
        state = next(iter(stored["optimizer"]["state"].values()))
        state["momentum_buffer"].view(-1)[0] = torch.nan
        torch.save(stored, tmp_path / "iter_4.pth")

    runner.register_hook(Spoil(older))
    with pytest.raises(RunError) as error:
        runner.train()
    assert latest_checkpoint(tmp_path) == str(tmp_path / "iter_4.pth")
    assert str(error.value).endswith(f"{tmp_path}/iter_2.pth stands; --resume goes on from it")
    made = type("Config", (), {"work_dir": str(tmp_path)})()
    resume(made, "auto")
    assert made.load_from == str(tmp_path / "iter_2.pth")
    assert re.search(r"iter_4.pth' cannot be resumed: 1 of its tensors are not finite, optimizer",
                     capsys.readouterr().out)  # fmt: skip


def test_a_whole_run_is_left_alone(config, tmp_path):
    tiny_run.runner(config, tmp_path, train_cfg__max_iters=4).train()
    assert latest_checkpoint(tmp_path).endswith("iter_4.pth")
