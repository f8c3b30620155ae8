"""python -m nonlocal_zoo list | doctor."""

import pytest

from nonlocal_zoo import build_block, doctor, list_blocks
from nonlocal_zoo.__main__ import main
from nonlocal_zoo.blocks.cost import block_cost
from nonlocal_zoo.registry import AFFINITIES, FILTERS


def test_list(capsys):
    assert main(["list", "--shape", "64", "12", "10"]) == 0
    words = capsys.readouterr().out.split()
    for name in [*list_blocks(), *AFFINITIES.names(), *FILTERS.names()]:
        assert name in words
    assert len(list_blocks()) >= 22 and len(FILTERS.names()) >= 6


def test_list_pattern(capsys):
    assert main(["list", "snl*", "--shape", "64", "12"]) == 0
    table = capsys.readouterr().out.split("\n\n")[0]
    assert "snl_chebyshev" in table and "latentgnn" not in table


def test_wrong_words(capsys):
    assert main(["list", "snll"]) == 1
    assert "snl" in capsys.readouterr().err.split("Did you mean")[1]
    for arguments in (["list", "--shape", "64"], ["list", "--shape", "64", "0"]):
        with pytest.raises(SystemExit):
            main(arguments)
        assert "--shape" in capsys.readouterr().err
    assert main(["lst"]) == 2 and "'list'" in capsys.readouterr().err


def test_cost_is_that_of_the_formula():
    """Official NL at C = 8, c = 4, N = 12: four projections and two products with N x N."""
    cost = block_cost(build_block("nl", 8), (1, 8, 4, 3))
    assert cost.multiply_adds == 4 * 12 * 8 * 4 + 2 * 12 * 12 * 4
    assert cost.parameters == 4 * 8 * 4 + 3 * 4 + 8
    thin = block_cost(build_block("nl_dot", 8), (1, 8, 40, 30))  # of rank 4, 1200 nodes
    assert thin.multiply_adds == 4 * 1200 * 8 * 4 + 2 * 1200 * 4 * 4
    few = block_cost(build_block("a2", 8), (1, 8, 40, 30))  # 1200 nodes, 4 gathered ones:
    embeddings, gathered, distributed = 2 * 1200 * 8 * 4, 4 * 1200 * 8, 1200 * 4 * 8
    weights = 2 * 4 * 8 * 4  # of the gathered
    assert few.multiply_adds == embeddings + gathered + distributed + weights


def test_cost_leaves_the_block_alone():
    block = build_block("ema", 8).train()
    before = {key: value.clone() for key, value in block.state_dict().items()}
    block_cost(block, (1, 8, 4, 3))
    assert block.training
    assert all((block.state_dict()[key] == value).all() for key, value in before.items())


def found(**versions):
    return {package: versions.get(package.replace("-", "_")) for package in doctor.PACKAGES}


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        (dict(mmcv="2.1.0", mmcv_lite="2.1.0"), "both installed"),
        (dict(mmcv="2.2.0"), "refuse mmcv >= 2.2.0"),
        (dict(mmsegmentation="1.2.2", regex="1"), "ftfy"),
        (dict(mmengine="0.10.7", setuptools="82.0.1"), "pkg_resources"),
        (dict(mmengine="0.10.7", torch="2.13.0+cpu"), "cannot load its own checkpoints"),
        (dict(mmsegmentation="1.2.2"), "only the last of several plugins"),
        (dict(torch="2.13.0+cpu", torchvision="0.28.0"), "torchvision::nms"),
        (dict(onedl_mmsegmentation="1.4.2"), "only the last of several plugins"),
        (dict(mmengine="0.10.7", onedl_mmengine="0.10.12"), "onedl-*"),
        (dict(mmdet="3.3.0", onedl_mmdetection="3.5.1"), "onedl-*"),
        (dict(torch_geometric="2.8.1"), "fps, knn, radius"),
    ],
)
def test_traps(versions, words):
    """Each applies where it should, and to an empty machine none does."""
    traps = [trap for trap in doctor.TRAPS if words in trap.what]
    assert len(traps) == 1 and traps[0].fix
    assert traps[0].applies(found(**versions)) and not traps[0].applies(found())


def test_versions_below_the_fault_are_fine():
    fine = found(mmcv="2.1.0", mmengine="0.10.7", torch="2.5.1", setuptools="80.9.0")
    assert not [t.what for t in doctor.TRAPS if t.applies(fine)]


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        (dict(), "none; pip install"),
        (dict(mmengine="0.10.7", mmcv_lite="2.1.0"),
         "OpenMMLab's own (mmengine 0.10.7, mmcv-lite 2.1.0)"),
        (dict(onedl_mmengine="0.10.12"), "the maintained forks (onedl-mmengine 0.10.12)"),
        (dict(mmengine="0.10.7", onedl_mmcv="2.3.6"),
         "OpenMMLab's own (mmengine 0.10.7) and the maintained forks (onedl-mmcv 2.3.6)"),
    ],
)  # fmt: skip
def test_which_stack(versions, words):
    assert doctor.stack_line(found(**versions)).startswith(words)


def test_doctor(capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert all(package in out for package in doctor.PACKAGES) and "known traps apply" in out
    assert f"mm stack: {doctor.stack_line(doctor.found_versions())}\n" in out
