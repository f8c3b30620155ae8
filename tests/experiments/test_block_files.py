"""Blocks in safetensors files with their specs."""

import json

import pytest
import torch
from safetensors.torch import save_file

from nonlocal_zoo import build_block, list_blocks
from nonlocal_zoo.block_files import load_block, save_block
from nonlocal_zoo.registry import UnknownNameError
from nonlocal_zoo.testing import randomize_, refuses


@pytest.mark.parametrize("name", list_blocks())
def test_round_trip(name, tmp_path):
    spec = dict(name=name, in_channels=8)
    block = randomize_(build_block(**spec)).eval()
    save_block(tmp_path / "b.safetensors", block, spec)
    again, x = load_block(tmp_path / "b.safetensors").eval(), torch.randn(2, 8, 9, 8)
    assert torch.equal(again(x), block(x))


def test_dtype_and_changes(tmp_path):
    spec = dict(in_channels=8, affinity=dict(type="latent", dim=3), graph_filter="laplacian")
    block = build_block(**spec).double()
    save_block(tmp_path / "b.safetensors", block, spec)
    assert load_block(tmp_path / "b.safetensors").units[0].values.weight.dtype == torch.float64


def test_refusals(tmp_path):
    block, path = build_block("snl", 8), tmp_path / "b.safetensors"
    snl = dict(name="snl", in_channels=8)
    refuses(ValueError, lambda: save_block(tmp_path / "b.pth", block, snl), ".pth", "safetensors")
    refuses(ValueError, lambda: save_block(path, block, dict(snl, stages=2)), "8 tensors", "units")
    refuses(ValueError, lambda: save_block(path, block, dict(snl, x=object)), "spec", "allowed")
    assert not path.exists()
    save_file(block.state_dict(), path)
    refuses(ValueError, lambda: load_block(path), "no spec")
    for text, words in {"[1]": "allowed: the arguments", "{": "no spec"}.items():
        save_file(block.state_dict(), path, {"block": text})
        refuses(ValueError, lambda: load_block(path), words)
    save_file(block.state_dict(), path, {"block": json.dumps(dict(snl, name="os.system"))})
    refuses(UnknownNameError, lambda: load_block(path), "block='os.system'", "Allowed")


def test_sizes_are_compared_before_memory_is_taken(tmp_path):
    """A small file may name a block of gigabytes."""
    path = tmp_path / "b.safetensors"
    block = build_block("snl", 16)
    wide = dict(name="nl", in_channels=2**16, inner_channels=2**16)
    save_file(block.state_dict(), path, {"block": json.dumps(wide)})
    refuses(ValueError, lambda: load_block(path), "of another shape")
