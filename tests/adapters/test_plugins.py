"""mm plugins, with mm's own meaning, in mmseg's and mmdet's ResNet."""

import ast
import inspect
import textwrap

import pytest
import torch
from tables import BLOCK_OVERRIDES

from nonlocal_zoo import build_block, list_blocks
from nonlocal_zoo.blocks import NonLocalBlock
from nonlocal_zoo.registry import BLOCKS
from nonlocal_zoo.testing import randomize_, refuses

pytest.importorskip("mmengine")
mm = pytest.importorskip("nonlocal_zoo.adapters.mm")
pytest.importorskip("mmseg")
from mmengine.analysis import FlopAnalyzer  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmengine.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS  # noqa: E402
from mmseg.models.backbones import resnet as mmseg_resnet  # noqa: E402
from mmseg.registry import MODELS as SEG_MODELS  # noqa: E402

from nonlocal_zoo.adapters.mm import chain, plugins  # noqa: E402
from nonlocal_zoo.blocks.cost import block_cost  # noqa: E402

pytestmark = pytest.mark.mm
HOSTS = ["mmseg.ResNet", "mmdet.ResNet"]
ROWS = {BLOCKS.get(name).plugin: name for name in list_blocks()}
STAGE3 = (False, False, True, False)


def build(type, plugins, depth=50, **extra):
    if "mmdet.ResNet" in (type, extra.get("host")):
        pytest.importorskip("mmdet.models.backbones")
    settings = dict(type=type, depth=depth, base_channels=4, stem_channels=4, plugins=plugins)
    return MODELS.build({**settings, **extra})


def entry(type, position="after_conv3", stages=STAGE3, **settings):
    return dict(cfg=dict(type=type, **settings), stages=stages, position=position)


def with_blocks(host, insert):
    """The backbone of ``build``, by the other way."""
    return build("WithBlocks", None, host=host, insert=insert)


def found(net):
    return {k: m for k, m in net.named_modules() if isinstance(m, NonLocalBlock)}


def backward(net):
    net.train()  # mm's returns None
    sum(y.sum() for y in net(torch.randn(1, 3, 32, 40))).backward()


@pytest.mark.parametrize("plugin", ROWS)
@pytest.mark.parametrize("registry", [MODELS, SEG_MODELS], ids=["mmengine", "mmseg"])
def test_every_row_by_its_type(plugin, registry):
    overrides = BLOCK_OVERRIDES.get(ROWS[plugin], {})
    block = registry.build(dict(type=plugin, in_channels=16, **overrides))
    expected = build_block(ROWS[plugin], 16, **overrides)
    assert type(block) is NonLocalBlock
    assert {k: v.shape for k, v in block.state_dict().items()} == {
        k: v.shape for k, v in expected.state_dict().items()
    }


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("plugin", ROWS)
def test_every_row_in_a_backbone(host, plugin):
    """In every bottleneck of the stage, with four times the planes after conv3."""
    net = build(host, [entry(plugin, **BLOCK_OVERRIDES.get(ROWS[plugin], {}))])
    blocks = found(net)
    assert len(blocks) == 6 and {b.in_channels for b in blocks.values()} == {64}
    assert all(f"{ROWS[plugin]}_block" in key for key in blocks)
    net.init_weights()
    for block in blocks.values():
        if block.starts_at_zero:
            x = torch.randn(1, 64, 2, 3)
            assert torch.equal(block(x), x), "undone by the host's init_weights"
    backward(net)
    for key, block in blocks.items():
        assert all(p.grad is not None for p in block.parameters()), key


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("position", ["after_conv1", "after_conv2", "after_conv3"])
def test_two_plugins_at_one_position_both_act(host, position):
    settings = dict(type="SNLBlock", position=position)
    plugins = [entry(**settings, postfix="_a"), entry(**settings, postfix="_b")]
    net = build(host, plugins)
    blocks = found(net)
    assert len(blocks) == 12
    backward(net)
    for key, block in blocks.items():
        assert all(p.grad is not None for p in block.parameters()), f"{key} is not heard"


def original_forward_plugin():
    """mmseg's method from its source file: the class in memory has been mended."""
    tree = ast.parse(inspect.getsource(mmseg_resnet))
    bottleneck = next(
        n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Bottleneck"
    )
    method = next(n for n in bottleneck.body if getattr(n, "name", "") == "forward_plugin")
    space = {}
    exec(textwrap.dedent(ast.unparse(method)), space)
    return space["forward_plugin"]


def test_the_original_drops_all_but_the_last(monkeypatch):
    """The trap itself. When this fails, mmseg has mended it and chain.py can go."""
    monkeypatch.setattr(mmseg_resnet.Bottleneck, "forward_plugin", original_forward_plugin())
    assert not chain.chains_plugins()
    plugins = [entry("SNLBlock", postfix="_a"), entry("SNLBlock", postfix="_b")]
    net = build("mmseg.ResNet", plugins)
    backward(net)
    for key, block in found(net).items():
        heard = all(p.grad is not None for p in block.parameters())
        assert heard == key.endswith("_b"), key
    chain.chain_plugins()
    assert chain.chains_plugins()
    backward(net)
    assert all(p.grad is not None for block in found(net).values() for p in block.parameters())


def test_they_are_chained_in_order():
    net = build("mmseg.ResNet", [entry("SNLBlock", postfix="_a"), entry("NSBlock", postfix="_b")])
    bottleneck = net.layer3[1].eval()
    first, second = (randomize_(b).eval() for b in found(bottleneck).values())
    x = torch.randn(1, 64, 3, 4)
    names = bottleneck.after_conv3_plugin_names
    assert torch.equal(bottleneck.forward_plugin(x, names), second(first(x)))
    assert bottleneck.forward_plugin(x, []) is x


@pytest.mark.parametrize("host", HOSTS)
def test_postfix_names_the_child(host):
    keys = found(build(host, [entry("NLBlock", postfix="_x")]))
    assert all(key.endswith("nl_block_x") for key in keys)


def test_any_block_and_any_pair():
    net = build("mmseg.ResNet", [entry("NonLocalBlock", name="snl")])
    assert len(found(net)) == 6
    pair = dict(affinity="gaussian", graph_filter=dict(type="chebyshev", order=2))
    block = MODELS.build(dict(type="NonLocalBlock", in_channels=16, **pair))
    assert len(block.units[0].filters[0].weights) == 3


def test_refusals():
    def make(**config):
        return lambda: MODELS.build(dict(in_channels=16, **config))

    refuses(TypeError, make(type="SNLBlock", stage=2), "snl", "'stage'", "'stages'")
    refuses(TypeError, make(type="SNLBlock", name="nl"), "'name'")
    with pytest.raises(LookupError, match="'snl'"):
        make(type="NonLocalBlock", name="snll")()
    with pytest.raises(LookupError, match="gaussian"):
        make(type="NLBlock", affinity="gausian")()


@pytest.mark.parametrize("host", HOSTS)
def test_basic_blocks_refuse_plugins(host):
    """The host's own refusal, which is loud; insertion is the way there."""
    with pytest.raises(AssertionError):
        build(host, [entry("SNLBlock")], depth=18)


def test_norms_that_somebody_froze_stay_frozen():
    block = build_plugin("SNLBlock").train()
    norms = [m for m in block.modules() if isinstance(m, torch.nn.BatchNorm1d)]
    for norm in norms:
        norm.eval().requires_grad_(False)
    block(torch.randn(2, 16, 6, 5))
    assert norms and not any(norm.num_batches_tracked for norm in norms)
    for norm in norms:
        norm.requires_grad_(True)
    block(torch.randn(2, 16, 6, 5))
    assert all(norm.num_batches_tracked == 1 for norm in norms)


def build_plugin(type, **settings):
    return MODELS.build(dict(type=type, in_channels=16, **settings))


def test_classes_can_be_imported_by_pure_python_configs(tmp_path):
    path = tmp_path / "config.py"
    path.write_text(
        "from nonlocal_zoo.adapters.mm.plugins import SNLBlock\n"
        "plugin = dict(type=SNLBlock, in_channels=16)\n"
    )
    block = MODELS.build(Config.fromfile(path, lazy_import=True).plugin)
    assert isinstance(block, NonLocalBlock) and block.in_channels == 16
    for plugin in ROWS:
        made = getattr(plugins, plugin)
        assert made is MODELS.get(plugin) and made.__module__ == plugins.__name__


@pytest.mark.parametrize(
    ("norm", "kind"),
    [
        ("BN", torch.nn.BatchNorm1d),
        (dict(type="BN"), torch.nn.BatchNorm1d),
        ("SyncBN", torch.nn.SyncBatchNorm),
        (dict(type="SyncBN", eps=1e-3), torch.nn.SyncBatchNorm),
        (dict(type="GN", num_groups=2), torch.nn.GroupNorm),
        ("LN", torch.nn.LayerNorm),
        ("layer", torch.nn.LayerNorm),
    ],
)
@pytest.mark.parametrize("route", ["plugin", "insert"])
def test_norms_by_the_names_of_mm(norm, kind, route):
    if route == "plugin":
        block = build_plugin("NLBlock", norm=norm)
    else:
        entry = dict(stage="layer3", block=dict(name="nl", norm=norm))
        net = with_blocks("mmseg.ResNet", [entry])
        (block,) = found(net).values()
    made = block.units[0].norm
    assert isinstance(made, kind)
    if isinstance(norm, dict) and "eps" in norm:
        assert made.eps == 1e-3
    if kind is torch.nn.GroupNorm:
        assert made.num_groups == 2


def test_get_flops_counts_attention():
    block = build_block("nl", 64).eval()
    true = block_cost(block, (1, 64, 12, 16)).multiply_adds
    counted = FlopAnalyzer(block, (torch.randn(1, 64, 12, 16),))
    counted.unsupported_ops_warnings(False)
    assert abs(counted.total() - true) < 0.02 * true


def groups_of(net, paramwise):
    """The optimizer's group of each parameter."""
    made = OPTIM_WRAPPER_CONSTRUCTORS.build(
        dict(
            type="DefaultOptimWrapperConstructor",
            optim_wrapper_cfg=dict(
                type="OptimWrapper", optimizer=dict(type="SGD", lr=1.0, weight_decay=0.2)
            ),
            paramwise_cfg=paramwise,
        )
    )(net)
    return {id(p): group for group in made.optimizer.param_groups for p in group["params"]}


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("route", ["plugins", "insert"])
def test_paramwise_options_of_the_host_hold_for_blocks(host, route):
    """Rates by path, and by kind of layer: norms and biases without decay."""
    if route == "plugins":
        net = build(host, [entry("SNLBlock")])
    else:
        inserted = [dict(stage="layer3", block="snl")]
        net = with_blocks(host, inserted)
    options = dict(
        custom_keys=dict(layer3=dict(lr_mult=0.1)), norm_decay_mult=0, bias_decay_mult=0.5
    )
    groups = groups_of(net, options)
    blocks = found(net)
    assert blocks
    for block in blocks.values():
        for module in block.modules():
            for parameter in module.parameters(recurse=False):
                assert groups[id(parameter)]["lr"] == 0.1
    # A rule by path is the last word on a parameter; without it the kind of layer has it.
    del options["custom_keys"]
    groups = groups_of(net, options)
    seen = set()
    for block in blocks.values():
        for module in block.modules():
            norm = isinstance(module, torch.nn.BatchNorm1d)
            for name, parameter in module.named_parameters(recurse=False):
                decay = 0 if norm else 0.1 if name == "bias" else 0.2
                assert groups[id(parameter)]["weight_decay"] == decay, name
                seen.add(decay)
    assert {0, 0.2} <= seen
