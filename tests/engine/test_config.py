"""Every key of --cfg-options that names nothing is refused; what can be meant passes."""

import pytest

from nonlocal_zoo.engine.config import ConfigError, _forget_scope, load_config

pytestmark = pytest.mark.mm


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.decode_head.channels", 16),
        ("model.decode_head.kernel_size", 1),  # an argument of FCNHead, not in the config
        ("model.decode_head.sampler.type", "OHEMPixelSampler"),  # of its base class
        ("model.backbone.norm_cfg.eps", 0.1),  # of BatchNorm2d
        ("optim_wrapper.clip_grad.max_norm", 1.0),
        ("optim_wrapper.optimizer.nesterov", True),
        ("param_scheduler.0.start_factor", 0.5),
        ("train_dataloader.batch_size", 4),
        ("randomness.deterministic", True),
        ("auto_scale_lr.enable", True),  # of Runner
        ("find_unused_parameters", True),
    ],
)
def test_what_can_be_meant_is_set(config, key, value):
    node = load_config(config, {key: value})
    for part in key.split("."):
        node = node[int(part) if part.isdigit() else part]
    assert node == value


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("model.decode_hed.block.name", r"model takes no argument 'decode_hed'.*'decode_head'"),
        ("model.decode_head.chanels", r"model.decode_head takes no .*Did you mean 'channels'"),
        ("optim_wrapper.optimizer.lrr", r"'lrr'.*'lr'"),
        ("default_hooks.logger.intervall", r"'intervall'.*'interval'"),
        ("wrok_dir", r"the config takes no argument 'wrok_dir'.*'work_dir'"),
        ("train_cfg.max_iters.x", r"train_cfg.max_iters is 12, and has nothing in it"),
        ("param_scheduler.2.gamma", r"param_scheduler is a list; allowed are 0 to 1"),
        ("model.test_cfg.slide.stride", r"model.test_cfg takes no argument 'slide'"),
    ],
)
def test_what_names_nothing_is_refused_with_what_is_allowed(config, key, message):
    with pytest.raises(ConfigError, match=message) as error:
        load_config(config, {key: 1})
    assert key in str(error.value)
    assert "\n" not in str(error.value)


def test_a_new_key_where_nobody_knows_what_is_allowed_passes_with_a_warning(config):
    with pytest.warns(UserWarning, match=r"test_cfg.crop_size is new: model.test_cfg has \['mode"):
        loaded = load_config(config, {"model.test_cfg.crop_size": [8, 8]})
    assert loaded.model.test_cfg.crop_size == [8, 8]


def test_a_wrong_path_names_a_near_one(config):
    with pytest.raises(ConfigError, match=r"tinny\.py': no such file.*Did you mean '.*tiny\.py'"):
        load_config(config.with_name("tinny.py"))


def test_configs_of_the_package_are_found_by_its_name(tmp_path):
    """On the command line, and as the base of a config in another folder."""
    name = "nonlocal_zoo::synthetic/snl_r18-stage1_longrange.py"
    config = load_config(name)
    assert config.model.decode_head.block.name == "snl"
    for wrong, words in (
        ("nonlocal_zoo::synthetic/snll_r18-stage1_longrange.py", "Did you mean"),
        ("no_such_package::x.py", "no package 'no_such_package' is installed"),
    ):
        with pytest.raises(ConfigError, match=words):
            load_config(wrong)


def test_a_scope_of_our_name_is_forgotten():
    """mmengine writes one where a config has ``_base_ = "nonlocal_zoo::..."``, in a wheel."""
    node = dict(type="A", _scope_="nonlocal_zoo", inner=[dict(_scope_="nonlocal_zoo", b=(1, 2))],
                other=dict(_scope_="mmseg"))  # fmt: skip
    _forget_scope(node)
    assert node == dict(type="A", inner=[dict(b=(1, 2))], other=dict(_scope_="mmseg"))
