"""mmseg's heads with random weights, converted by the tool: the same output."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nonlocal_zoo import build_block

ROOT = Path(__file__).parents[2]
COMMON = dict(in_channels=8, channels=8, num_classes=3)  # ANNHead needs its dropout
BN = dict(type="BN", eps=1e-4)
TAP = "nonlocal_zoo.adapters.mm"  # stands in for the compiled half of mmcv: before mmseg

BN_WORDS = "norm_cfg.type=BN norm_cfg.eps=1e-4"

# A head, its own arguments, path of its block, class and arguments of the block.
HEADS = [
    ("NLHead", dict(norm_cfg=BN), "nl_block", f"NonLocal2d in_channels=8 {BN_WORDS}"),
    (
        "NLHead",
        dict(mode="dot_product", reduction=4),
        "nl_block",
        "NonLocal2d in_channels=8 reduction=4 mode=dot_product",
    ),
    (
        "DNLHead",
        dict(norm_cfg=BN),
        "dnl_block",
        f"DisentangledNonLocal2d in_channels=8 temperature=0.05 {BN_WORDS}",
    ),
    ("GCHead", dict(norm_cfg=BN), "gc_block", "ContextBlock in_channels=8 ratio=0.25"),
    (
        "GCHead",
        dict(fusion_types=("channel_mul", "channel_add")),
        "gc_block",
        "ContextBlock in_channels=8 ratio=0.25 fusion_types=('channel_add','channel_mul')",
    ),
    (
        "CCHead",
        dict(recurrence=3, norm_cfg=BN),
        "cca",
        "mmcv.CrissCrossAttention in_channels=8 recurrence=3",
    ),
]
# Those that NonLocalHead has no equal of: paths of their blocks, in whose place ours are put.
OTHERS = [
    (
        "EMAHead",
        dict(ema_channels=8, num_bases=4, num_stages=2, norm_cfg=BN),
        {"ema_module": "EMAModule channels=8 num_bases=4 num_stages=2 momentum=0.1"},
    ),
    (
        "DAHead",
        dict(pam_channels=4, norm_cfg=BN),
        {"pam": "PAM in_channels=8 channels=4", "cam": "CAM"},
    ),
    (
        "ANNHead",
        dict(
            in_channels=(4, 8),
            in_index=(0, 1),
            project_channels=4,
            key_pool_scales=(1, 3),
            norm_cfg=dict(type="BN"),
        ),
        {
            "context.stages.0": "mmseg.APNB.stage in_channels=8 channels=4 norm_cfg.type=BN "
            "key_pool_scales=(1,3)"
        },
    ),
]


@pytest.fixture(scope="module")
def heads():
    pytest.importorskip("mmseg")
    __import__(TAP)
    from mmengine.registry import DefaultScope
    from mmseg.models import decode_heads

    with DefaultScope.overwrite_default_scope("mmseg"):  # a run before may have left another
        yield decode_heads


def convert(*words):
    command = [sys.executable, "tools/convert_checkpoint.py", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def random_head(heads, name, args):
    head = getattr(heads, name)(**{**COMMON, **args}).eval()
    for key, value in head.state_dict().items():
        if value.is_floating_point():
            value.copy_(
                torch.rand(value.shape) + 0.5 if "var" in key else torch.randn(value.shape) / 3
            )
    return head


def saved(head, path):
    torch.save({"state_dict": {f"decode_head.{k}": v for k, v in head.state_dict().items()}}, path)
    return path


def of_head(path):
    checkpoint = torch.load(path, weights_only=True)
    weights = checkpoint["state_dict"].items()
    return {k.removeprefix("decode_head."): v for k, v in weights}, checkpoint["blocks"]


def near(ours, theirs, tolerance):
    error = (ours - theirs).abs().max() / theirs.abs().max()
    assert error <= tolerance, f"relative error {error:.3g}"


def same_outputs(ours, theirs, inputs):
    for dtype, tolerance in ((torch.float32, 1e-6), (torch.float64, 1e-9)):
        x = [value.to(dtype) for value in inputs]
        for a, b in zip(outputs(ours.to(dtype), x), outputs(theirs.to(dtype), x), strict=True):
            near(a, b, tolerance)


def outputs(head, inputs):
    with torch.no_grad():
        y = head(inputs)
    return y if isinstance(y, tuple) else (y,)


@pytest.mark.parametrize(("name", "args", "path", "words"), HEADS)
def test_heads_with_an_equal(heads, tmp_path, name, args, path, words):
    from nonlocal_zoo.adapters.mm.head import NonLocalHead

    theirs = random_head(heads, name, args)
    source, target, again = (tmp_path / f"{k}.pth" for k in ("source", "target", "again"))
    block = ["--block", f"decode_head.{path}:decode_head.block", *words.split()]
    done = convert(saved(theirs, source), target, *block)
    assert done.returncode == 0, done.stderr
    weights, blocks = of_head(target)
    settings = {k: v for k, v in blocks["decode_head.block"].items() if k != "in_channels"}
    ours = NonLocalHead(**COMMON, block=settings, norm_cfg=args.get("norm_cfg")).eval()
    ours.load_state_dict(weights)
    same_outputs(ours, theirs.eval(), [torch.randn(2, 8, 6, 5)])

    done = convert(target, again, *block, "--back")
    assert done.returncode == 0, done.stderr
    back, original = of_head(again)[0], of_head_theirs(source)
    assert set(back) == set(original)
    assert all(torch.equal(back[key], original[key]) for key in original)


def of_head_theirs(path):
    weights = torch.load(path, weights_only=True)["state_dict"].items()
    return {k.removeprefix("decode_head."): v for k, v in weights}


@pytest.mark.parametrize(("name", "args", "paths"), OTHERS)
def test_heads_without_an_equal(heads, tmp_path, name, args, paths):
    """The block alone, in mmseg's own head; all other keys stay, and are counted."""
    theirs, ours = (random_head(heads, name, args) for _ in range(2))
    words = []
    for path, description in paths.items():
        words += ["--block", f"decode_head.{path}", *description.split()]
    done = convert(saved(theirs, tmp_path / "source.pth"), tmp_path / "target.pth", *words)
    assert done.returncode == 0, done.stderr
    weights, blocks = of_head(tmp_path / "target.pth")
    kept = [key for key in theirs.state_dict() if not key.startswith(tuple(f"{p}." for p in paths))]
    assert f"copied as they are: {len(kept)} keys" in done.stdout
    for path in paths:
        block = build_block(**blocks[f"decode_head.{path}"])
        parent, _, last = path.rpartition(".")
        setattr(ours.get_submodule(parent), last, OneInput(block) if name == "ANNHead" else block)
    if name == "ANNHead":  # theirs takes queries and keys, which are the same in APNB
        stage = "context.stages.0."
        weights = {k.replace(stage, f"{stage}block."): v for k, v in weights.items()}
    ours.eval().load_state_dict(weights)
    inputs = [torch.randn(2, 8, 6, 5)]
    same_outputs(ours, theirs, [torch.randn(2, 4, 6, 5), *inputs] if name == "ANNHead" else inputs)


class OneInput(torch.nn.Module):
    def __init__(self, block):
        super().__init__()
        self.block = block

    def forward(self, query, key):
        assert query is key
        return self.block(query)


def test_plugins_of_a_backbone(heads, tmp_path):
    """Both kinds in every bottleneck of a stage; ours are mm plugins in the same places."""
    from mmseg.models import ResNet

    def build(*types):
        plugins = [dict(cfg=cfg, stages=(False, True), position="after_conv3") for cfg in types]
        settings = dict(depth=50, num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1,))
        return ResNet(**settings, stem_channels=4, base_channels=4, plugins=plugins)

    theirs = build(dict(type="ContextBlock", ratio=0.5), dict(type="NonLocal2d", reduction=4))
    for value in theirs.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape) / 3 + 0.2)
    ours = build(dict(type="GCBlock", inner_channels=16), dict(type="NLBlock", reduction=4))
    torch.save(theirs.state_dict(), tmp_path / "source.pth")
    words = []
    for line in (
        "layer2.*.context_block:layer2.*.gc_block ContextBlock in_channels=32 ratio=0.5",
        "layer2.*.nonlocal_block:layer2.*.nl_block NonLocal2d in_channels=32 reduction=4",
    ):
        words += ["--block", *line.split()]
    done = convert(tmp_path / "source.pth", tmp_path / "target.safetensors", *words)
    assert done.returncode == 0, done.stderr
    from safetensors.torch import load_file

    ours.load_state_dict(load_file(tmp_path / "target.safetensors"))
    theirs.eval()  # gives None
    ours.eval()
    x = torch.randn(1, 3, 16, 16)
    near(ours(x)[0], theirs(x)[0], 1e-6)


def small_source(tmp_path, **more):
    from nonlocal_zoo.references import translate

    translation = translate("CrissCrossAttention", dict(in_dim=4, sub_dim=1))
    ours = build_block(**translation.settings).state_dict()
    weights = {f"net.cc.{k}": v for k, v in translation.theirs(ours).items()}
    weights["net.conv.weight"] = torch.rand(2, 2)
    torch.save({"state_dict": weights, **more}, tmp_path / "small.pth")
    return tmp_path / "small.pth", weights


BLOCK = ("--block", "net.cc", "CrissCrossAttention", "in_dim=4", "sub_dim=1")


def test_what_else_a_checkpoint_holds(tmp_path):
    """Objects of other classes are not made, the old config is not kept, and it is said."""
    history = pytest.importorskip("mmengine.logging").HistoryBuffer([1.0], [1])
    source, _ = small_source(
        tmp_path,
        meta=dict(epoch=3, cfg="import os", CLASSES=("road", "sky"), best=Evil()),
        optimizer=dict(state={}),
        message_hub=dict(loss=history, evil=Evil()),
    )
    done = convert(source, tmp_path / "out.pth", *BLOCK)
    assert done.returncode == 0, done.stderr
    assert "evil" not in done.stdout + done.stderr
    line = "left out, of the old network's training: optimizer, message_hub, meta.cfg, meta.best"
    assert line in done.stdout
    checkpoint = torch.load(tmp_path / "out.pth", weights_only=True)
    assert checkpoint["meta"] == dict(epoch=3, CLASSES=("road", "sky"))


class Evil:
    def __reduce__(self):
        return print, ("evil",)


def test_safetensors_both_ways(tmp_path):
    source, weights = small_source(tmp_path)
    for name in ("a.safetensors", "b.pth", "c.safetensors"):
        back = ("--back",) if name.startswith("b") else ()
        done = convert(source, tmp_path / name, *BLOCK, *back)
        assert done.returncode == 0, done.stderr
        source = tmp_path / name
        if back:
            result = torch.load(source, weights_only=True)["state_dict"]
            assert set(result) == set(weights)
            assert all(torch.equal(result[key], weights[key]) for key in weights)


def test_files_of_old_torch(tmp_path):
    source, weights = small_source(tmp_path)
    old = tmp_path / "old.pth"
    torch.save({"state_dict": weights}, old, _use_new_zipfile_serialization=False)
    first, second = (tmp_path / name for name in ("first.pth", "second.pth"))
    assert convert(source, first, *BLOCK).returncode == 0
    assert convert(old, second, *BLOCK).returncode == 0
    first, second = (torch.load(path, weights_only=True)["state_dict"] for path in (first, second))
    assert list(first) == list(second) and all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--block", "net.cc"), "allowed: PATH CLASS KEY=VALUE"),
        (("--block", "net.cc", "CrisCross"), "'CrissCrossAttention'"),
        (("--block", "net.cc", "CrissCrossAttention", "in_dim"), "allowed: KEY=VALUE"),
        (("--block", "net.cc", "CrissCrossAttention", "in_dim=4"), "needs the argument 'sub_dim'"),
        (("--block", "net.cc", "CrissCrossAttention", "dim=4"), "takes no argument 'dim'"),
        (("--block", "net.c", *BLOCK[2:]), "Did you mean 'net.cc'"),
        (("--block", "net.*", *BLOCK[2:]), "net.conv: state_dict has unknown keys ['weight']"),
        ((*BLOCK, *BLOCK), "in two blocks"),
    ],
)
def test_refused(tmp_path, words, message):
    source, _ = small_source(tmp_path)
    done = convert(source, tmp_path / "out.pth", *words)
    assert done.returncode == 2 and message in done.stderr, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["small.pth"]


def test_files_that_are_refused(tmp_path):
    source, _ = small_source(tmp_path)
    before = source.read_bytes()
    for target, message in ((source, "exists"), (tmp_path / "out.bin", "'.bin'")):
        done = convert(source, target, *BLOCK)
        assert done.returncode == 2 and message in done.stderr
    torch.save({"state_dict": {"a": Evil()}}, tmp_path / "no.pth")
    torch.save([1], tmp_path / "list.pth")
    for name in ("text.pth", "text.safetensors"):
        (tmp_path / name).write_text("weights")
    for name, message in (
        ("no.pth", "these are none: ['a']"),
        ("list.pth", "holds a list"),
        ("text.pth", "text.pth is damaged: it is no file that torch.save writes"),
        ("text.safetensors", "no safetensors file"),
        ("none.pth", "no such file"),
        ("none.safetensors", "no such file"),
    ):
        done = convert(tmp_path / name, tmp_path / "out.pth", *BLOCK)
        assert done.returncode == 2 and message in done.stderr, done.stderr
        assert not (tmp_path / "out.pth").exists()
    assert source.read_bytes() == before
