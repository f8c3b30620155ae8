"""A checkpoint goes on in the run that wrote it; what differs is said by key."""

import warnings

import pytest
import tiny_run
import torch
from mmengine.config import Config

from nonlocal_zoo.engine.config import ConfigError
from nonlocal_zoo.engine.launch import fit
from nonlocal_zoo.engine.same_run import KEY, settings

pytestmark = pytest.mark.mm


def made(config, folder, name, **options):
    """The tiny config with the block ``name``."""
    changed = Config.fromfile(config)
    changed.model.decode_head.pop("num_convs")
    head = dict(type="NonLocalHead", block=dict(name=name, inner_channels=4))
    changed.merge_from_dict(dict(model=dict(decode_head=head)))
    tiny_run.runner.count += 1
    changed.merge_from_dict(
        {"work_dir": str(folder), "launcher": "none",
         "experiment_name": f"same{tiny_run.runner.count}", "train_cfg.max_iters": 6,
         "train_cfg.val_interval": 100, **options}
    )  # fmt: skip
    return changed


@pytest.fixture(scope="module")
def stored(config, tmp_path_factory):
    """The checkpoint of four iterations with nl."""
    folder = tmp_path_factory.mktemp("nl")
    fit(made(config, folder, "nl", **{"train_cfg.max_iters": 4}))
    return folder / "iter_4.pth"


def resumed(config, folder, stored, name="nl", **options):
    return fit(made(config, folder, name, load_from=str(stored), resume=True, **options))


def test_the_checkpoint_says_what_learns(stored):
    run = torch.load(stored, weights_only=True)[KEY]
    assert run["model.decode_head.block.name"] == "nl"
    assert run["optim_wrapper.optimizer.lr"] == 0.05 and run["train_dataloader.batch_size"] == 2
    assert not any("work_dir" in key or "max_iters" in key for key in run)


def test_the_same_config_goes_on_without_a_word(config, stored, tmp_path):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="resumed with")
        assert resumed(config, tmp_path, stored).iter == 6


def test_another_block_of_the_same_shapes_is_refused(config, stored, tmp_path):
    """nl_dot has nl's weights, tensor for tensor."""
    with pytest.raises(ConfigError) as error:
        resumed(config, tmp_path, stored, "nl_dot")
    said = str(error.value)
    assert "model.decode_head.block.name is 'nl_dot', there 'nl'" in said and "\n" not in said
    assert str(stored) in said


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"optim_wrapper.optimizer.type": "Adam"}, "optim_wrapper.optimizer.type is 'Adam'"),
        ({"param_scheduler": []}, "param_scheduler.0.type is nothing, there 'LinearLR'"),
        ({"optim_wrapper.paramwise_cfg": dict(bias_lr_mult=2.0)}, "bias_lr_mult is 2.0, there no"),
        ({"train_cfg.type": "EpochBasedTrainLoop"}, "train_cfg.type is 'EpochBasedTrainLoop'"),
        ({"model.backbone.depth": 34, "model.decode_head.dropout_ratio": 0.5},
         "model.backbone.depth is 34, there 18; model.decode_head.dropout_ratio is 0.5"),
    ],
)  # fmt: skip
def test_what_cannot_change(config, stored, tmp_path, option, words):
    with pytest.raises(ConfigError) as error:
        resumed(config, tmp_path, stored, **option)
    assert words in str(error.value)


def test_what_changes_is_said_with_what_is_used(config, stored, tmp_path):
    options = {"optim_wrapper.optimizer.lr": 0.5, "param_scheduler.1.gamma": 0.25,
               "train_dataloader.batch_size": 4,
               "optim_wrapper.clip_grad": dict(max_norm=1.0)}  # fmt: skip
    with pytest.warns(UserWarning, match="resumed with another") as caught:
        runner = resumed(config, tmp_path, stored, **options)
    said = {str(w.message) for w in caught if "resumed with" in str(w.message)}
    assert len(said) == 4
    loaded = "the checkpoint's, whose state is loaded, is used from here on"
    assert (f"resumed with another optim_wrapper.optimizer.lr: 0.5 in the config, 0.05 in the "
            f"checkpoint; {loaded}") in said  # fmt: skip
    assert any("param_scheduler.1.gamma: 0.25" in line and loaded in line for line in said)
    assert any("batch_size: 4 in the config, 2 in the checkpoint; the config's" in line
               for line in said)  # fmt: skip
    assert any("max_norm: 1.0 in the config, nothing in the" in line for line in said)
    # and that is what is used
    group = runner.optim_wrapper.optimizer.param_groups[0]
    assert group["initial_lr"] == 0.05 and runner.param_schedulers[1].gamma == 0.5
    assert runner.train_dataloader.batch_size == 4
    assert runner.optim_wrapper.clip_grad_kwargs == dict(max_norm=1.0)


def test_of_an_older_version(config, stored, tmp_path):
    """Without the settings it resumes; weights of another network are one line all the same."""
    old = torch.load(stored, weights_only=True)
    del old[KEY]
    torch.save(old, tmp_path / "old.pth")
    assert resumed(config, tmp_path / "a", tmp_path / "old.pth").iter == 6
    with pytest.raises(ConfigError, match=r"old.pth' is not of this config: .* are missing or"):
        resumed(config, tmp_path / "b", tmp_path / "old.pth", "snl")
    with pytest.raises(ConfigError, match=r"it has \d+ tensors more, decode_head.block"):
        resumed(config, tmp_path / "c", tmp_path / "old.pth", "danet_channel",
                **{"model.decode_head.block": None})  # fmt: skip


def test_one_run_on_other_machines(config):
    """SyncBN that runs as BN, pretrained weights elsewhere, testing otherwise: no difference."""
    one, other = made(config, "a", "nl"), made(config, "b", "nl")
    other.merge_from_dict({"model.backbone.norm_cfg.type": "SyncBN", "model.test_cfg.mode": "slide",
                           "model.backbone.init_cfg": dict(checkpoint="x.pth")})  # fmt: skip
    assert settings(one) == settings(other)
