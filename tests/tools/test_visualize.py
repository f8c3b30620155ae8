"""tools/visualize.py as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_run
from PIL import Image

pytestmark = pytest.mark.mm

VISUALIZE = str(Path(__file__).parents[2] / "tools/visualize.py")
CONFIG = """
_base_ = ['tiny.py']
bn = dict(type='BN', requires_grad=True)
model = dict(
    backbone=dict(type='WithBlocks', host='ResNet', insert=[
        dict(stage='layer1', position='end', block=dict(name='danet', reduction=2))]),
    decode_head=dict(_delete_=True, type='NonLocalHead', in_channels=8, in_index=0, channels=8,
                     num_classes=2, dropout_ratio=0, norm_cfg=bn, align_corners=False,
                     block=dict(name='snl', stages=2),
                     loss_decode=dict(type='CrossEntropyLoss', loss_weight=1.0)))
"""
STAGE = "backbone.layer1.1.nonlocal_end"
HEAD = "decode_head.block"


@pytest.fixture(scope="module")
def trained(config, tmp_path_factory):
    """Config and checkpoint of a network with two blocks."""
    path = config.with_name("tiny_blocks.py")
    path.write_text(CONFIG)
    folder = tmp_path_factory.mktemp("trained")
    tiny_run.runner(path, folder, train_cfg__max_iters=2).train()
    return str(path), str(folder / "iter_2.pth")


def test_pictures_and_numbers(trained, tmp_path):
    """Several affinities, channels as nodes and several stages, in one network."""
    picture = tmp_path / "one.png"
    noise = np.random.default_rng(0).integers(0, 255, (32, 48, 3), dtype=np.uint8)
    Image.fromarray(noise).save(picture)
    done = subprocess.run(
        [sys.executable, VISUALIZE, *trained, "--image", str(picture), "--block", HEAD, STAGE,
         "--query", "3", "4", "40", "30", "--out", "out"],
        cwd=tmp_path, text=True, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-3:] == [f"out/{HEAD}.png", f"out/{STAGE}.png", "out/numbers.json"]
    for name in (HEAD, STAGE):
        assert np.asarray(Image.open(tmp_path / "out" / f"{name}.png")).std() > 10
    numbers = json.loads((tmp_path / "out" / "numbers.json").read_text())
    assert numbers["queries"] == [[3, 4], [40, 30]] and set(numbers["blocks"]) == {HEAD, STAGE}
    head, stage = (numbers["blocks"][name] for name in (HEAD, STAGE))
    assert head["grid"] == stage["grid"] == [8, 12]
    assert len(head["affinities"][0]["responses"]) == 2
    assert abs(sum(head["affinities"][0]["eigenvalues"]["counts"]) - 96) < 1e-3
    assert [a["remark"][:9] for a in stage["affinities"]] == ["", "the nodes"]


@pytest.fixture(scope="module")
def refused(trained):
    """A function that runs the tool in this process and returns what it says on its way out."""
    from nonlocal_zoo.experiments.visualize import main

    def run(capsys, *arguments):
        with pytest.raises(SystemExit) as stopped:
            main([*trained, *arguments])
        assert stopped.value.code == 2
        return capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--image", "0"], f"2 blocks; --block allows ['{STAGE}', '{HEAD}']"),
        (["--image", "0", "--block", "decode_head.blok"], f"Did you mean '{HEAD}'"),
        (["--image", "8", "--block", HEAD], "the test set has 0 to 7"),
        (["--image", "none.png", "--block", HEAD], "none.png"),
        (["--image", "0", "--block", HEAD, "--query", "3"], "1 numbers; allowed: pairs X Y"),
        (["--image", "0", "--block", HEAD, "--query", "3", "32"],
         "--query 3 32 is outside the picture, 32 wide, 32 high"),
    ],
)  # fmt: skip
def test_refusals(refused, capsys, arguments, message):
    assert message in refused(capsys, *arguments)


def test_a_network_without_blocks(config, capsys, tmp_path):
    import torch
    from mmengine.config import Config
    from mmseg.apis import init_model

    from nonlocal_zoo.experiments.visualize import main

    checkpoint = tmp_path / "plain.pth"
    torch.save(init_model(Config.fromfile(config), device="cpu").state_dict(), checkpoint)
    with pytest.raises(SystemExit):
        main([str(config), str(checkpoint), "--image", "0"])
    assert "the network has no block" in capsys.readouterr().err
