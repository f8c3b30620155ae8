"""Every key of --cfg-options that names nothing is refused; what can be meant passes."""

import pytest
from mmengine.registry import MODELS

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


HEAD = """
_base_ = ['{base}']
model = dict(decode_head=dict(_delete_=True, type='NonLocalHead', in_channels=8, in_index=0,
    channels=8, num_classes=2, dropout_ratio=0, align_corners=False, block={block},
    loss_decode=dict(type='CrossEntropyLoss')))
"""


def with_block(config, tmp_path, block):
    path = tmp_path / "head.py"
    path.write_text(HEAD.format(base=config, block=block))
    return path


@pytest.mark.parametrize(
    "block",
    ["'snl'", "dict(name='snl')", "dict(name='snl', affinity='relu_dot')",
     "dict(name='snl', affinity=dict(symmetrize=False))",
     "dict(affinity='relu_dot', graph_filter=dict(type='polynomial'))"],
)  # fmt: skip
def test_a_key_inside_of_a_name(config, tmp_path, block):
    """The row of the block says which affinity it is that has the argument."""
    path = with_block(config, tmp_path, block)
    loaded = load_config(path, {"model.decode_head.block.affinity.normalize": "rw",
                                "model.decode_head.block.graph_filter.order": 2})  # fmt: skip
    head = MODELS.build(loaded.model.decode_head)
    assert head.block.affinities[0].normalize == "rw"
    assert type(head.block.affinities[0]).__name__ == "ReluDot"
    assert len(head.block.units[0].filters[0].weights) == 3
    if "symmetrize=False" not in block and "graph_filter" not in block:
        assert head.block.affinities[0].symmetrize  # the rest of the row stays


def test_a_block_by_name_in_the_head(config, tmp_path):
    head = MODELS.build(load_config(with_block(config, tmp_path, "'snl'")).model.decode_head)
    assert type(head.block.affinities[0]).__name__ == "ReluDot"


def test_a_key_inside_of_a_plugin_and_of_an_insertion(config, tmp_path):
    path = tmp_path / "more.py"
    path.write_text(
        f"_base_ = ['{config}']\n"
        "model = dict(backbone=dict(_delete_=True, type='WithBlocks', host='ResNet', depth=50,\n"
        "    plugins=[dict(cfg=dict(type='SNLBlock'), position='after_conv3')],\n"
        "    insert=[dict(stage='layer1', block='snl')]))\n"
    )
    for place in ("plugins.0.cfg", "insert.0.block"):
        node = f"model.backbone.{place}.affinity"
        loaded = load_config(path, {f"{node}.normalize": "rw"})
        affinity = loaded.model.backbone[place.split(".")[0]][0][place.split(".")[2]].affinity
        assert (affinity.type, affinity.normalize) == ("relu_dot", "rw")
        with pytest.raises(ConfigError, match=r"affinity takes .*'normalise'.*'normalize'"):
            load_config(path, {f"{node}.normalise": "rw"})


@pytest.mark.parametrize(
    ("block", "key", "message"),
    [
        ("dict(type='snl')", "affinity.normalize", r"write block=dict\(name='snl'\)"),
        ("'snl'", "affinity.normalise", r"'normalise'. Did you mean 'normalize'"),
        ("'snl'", "afinity.normalize", r"'afinity'. Did you mean 'affinity'"),
        ("'snl'", "in_channels", r"takes no argument 'in_channels'"),
        (
            "'danet'",
            "affinity.normalize",
            r"the block has several; give .*block.affinity as a whole",
        ),
    ],
)
def test_a_wrong_key_inside_of_a_name(config, tmp_path, block, key, message):
    with pytest.raises(ConfigError, match=message) as error:
        load_config(with_block(config, tmp_path, block), {f"model.decode_head.block.{key}": "rw"})
    assert "\n" not in str(error.value)
