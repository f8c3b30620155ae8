"""Reference -> ours -> reference: the same bits, under the same names."""

import pytest
import torch

from nonlocal_zoo.references import translate

# What ours have no place for.
UNUSED = {"APNB": "conv_bn_dropout."}


def same(first, second):
    return first.dtype == second.dtype and torch.equal(first, second)


def test_there_and_back(golden_case):
    translation = translate(golden_case.reference, golden_case.args)
    ours = translation.ours(golden_case.state)
    if golden_case.args.get("nl_type") == "caylay":
        with pytest.raises(ValueError, match=r"w_h.weight are folded into units"):
            translation.theirs(ours)
        return
    back = translation.theirs(ours)
    left_out = set(golden_case.state) - set(back)
    assert all(key.startswith(UNUSED[golden_case.reference]) for key in left_out)
    assert set(translation.unused(golden_case.state)) == left_out
    assert set(back) <= set(golden_case.state)
    for key, value in back.items():
        assert same(value, golden_case.state[key]), key


def test_every_key_counts(golden_case):
    """One that is missing, one too many, one of another shape: refused by name, both ways."""
    translation = translate(golden_case.reference, golden_case.args)
    unused = set(translation.unused(golden_case.state))
    for key in set(golden_case.state) - unused:
        with pytest.raises(ValueError, match="missing"):
            translation.ours({k: v for k, v in golden_case.state.items() if k != key})
    with pytest.raises(ValueError, match=r"unknown keys \['extra.weight'\]"):
        translation.ours({**golden_case.state, "extra.weight": torch.zeros(1)})
    ours = translation.ours(golden_case.state)
    for key in ours:
        with pytest.raises(ValueError, match=f"missing .*{key}"):
            translation.theirs({k: v for k, v in ours.items() if k != key})
        wrong = {**ours, key: torch.zeros(*ours[key].shape, 2)}
        with pytest.raises(ValueError, match=f"{key} becomes"):
            translation.theirs(wrong)
    with pytest.raises(ValueError, match=r"left over \['extra'\]"):
        translation.theirs({**ours, "extra": torch.zeros(1)})


def test_a_module_under_two_names_must_be_one():
    """APNB has its keys' projection twice in the state dict."""
    args = dict(in_channels=4, channels=2, norm_cfg=dict(type="BN"))
    translation = translate("mmseg.APNB.stage", args)
    shapes = translation._shapes
    theirs = translation.theirs({key: torch.rand(shape) for key, shape in shapes.items()})
    assert same(theirs["key_project.conv.weight"], theirs["query_project.conv.weight"])
    theirs["query_project.conv.weight"] = theirs["query_project.conv.weight"] + 1
    with pytest.raises(ValueError, match="shares between two names differ"):
        translation.ours(theirs)


def test_latentgnn_without_residual():
    """The class keeps a gamma that it never uses."""
    args = dict(in_channels=8, latent_dims=[3], without_residual=True)
    translation = translate("LatentGNNV1", args)
    ours = {key: torch.rand(shape) for key, shape in translation._shapes.items()}
    theirs = translation.theirs(ours)
    assert "gamma" not in theirs
    with_gamma = {**theirs, "gamma": torch.zeros(1)}
    assert translation.unused(with_gamma) == ["gamma"]
    assert all(same(value, ours[key]) for key, value in translation.ours(with_gamma).items())
