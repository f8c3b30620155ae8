"""Blocks in a network's state dict."""

import pytest
import torch

from nonlocal_zoo.references import Place, convert_network, translate

DOT = translate("NonLocal2d", dict(in_channels=4, mode="dot_product"))
NORMED = translate("NonLocal2d", dict(in_channels=4, norm_cfg=dict(type="BN")))


def theirs(prefix, translation=DOT):
    shapes = translation._shapes
    published = translation.theirs({key: torch.rand(shape) for key, shape in shapes.items()})
    return {f"{prefix}.{key}": value for key, value in published.items()}


def same(first, second):
    return list(first) == list(second) and all(torch.equal(first[k], second[k]) for k in first)


def test_a_stage_of_plugins_and_back():
    weights = {"stem.weight": torch.rand(3), "steps": torch.tensor(5)}
    for k in (0, 1, 2):
        weights[f"layer3.{k}.conv1.weight"] = torch.rand(2)
        weights.update(theirs(f"layer3.{k}.nonlocal_block"))
        weights[f"layer3.{k}.conv3.weight"] = torch.rand(2)
    places = [Place("layer3.*.nonlocal_block", "layer3.*.nl_dot_block", DOT)]
    result = convert_network(weights, places)
    assert [(a, b) for a, b, _ in result.blocks] == [
        (f"layer3.{k}.nonlocal_block", f"layer3.{k}.nl_dot_block") for k in (0, 1, 2)
    ]
    rest = {k: v for k, v in weights.items() if "nonlocal_block" not in k}
    assert result.rest == list(rest) and not result.unused
    assert same({k: v for k, v in result.weights.items() if "nl_dot_block" not in k}, rest)
    back = convert_network(result.weights, places, back=True)
    assert set(back.weights) == set(weights)
    assert all(torch.equal(back.weights[key], weights[key]) for key in weights)


def test_blocks_of_two_classes():
    context = translate("ContextBlock", dict(in_channels=4, ratio=0.5))
    weights = {**theirs("a.nl"), **theirs("a.gc", context), "a.conv.weight": torch.rand(1)}
    places = [Place("a.nl", "a.nl", DOT), Place("a.gc", "a.block", context)]
    result = convert_network(weights, places)
    assert result.rest == ["a.conv.weight"]
    assert {key.split(".")[1] for key in result.weights} == {"nl", "block", "conv"}


WIDE = translate("NonLocal2d", dict(in_channels=8))
IN_PLACE = Place("head.nl_block", "head.block", DOT)


@pytest.mark.parametrize(
    ("places", "words"),
    [
        ([Place("head.nl_blok", "head.block", DOT)], "under 'head.nl_blok'.*'head.nl_block'"),
        ([Place("head", "head", DOT)], r"head: state_dict has unknown keys .*'conv.weight'"),
        ([IN_PLACE, Place("head.*", "head.*", DOT)], "in two blocks, 'head.nl_block' and 'head.nl"),
        ([IN_PLACE, IN_PLACE], "in two blocks"),
        ([Place("head.nl_block", "head.twin", DOT)], "twin.units.0.values.weight.*twice"),
        ([Place("head.nl_block", "b", WIDE)], "head.nl_block: .* becomes"),
        ([Place("head.nl_block", "b", NORMED)], "head.nl_block: .*missing"),
    ],
)
def test_what_is_refused(places, words):
    weights = {
        **theirs("head.nl_block"),
        "head.conv.weight": torch.rand(2),
        "head.twin.units.0.values.weight": torch.rand(2),
    }
    with pytest.raises(ValueError, match=words):
        convert_network(weights, places)


@pytest.mark.parametrize(("source", "target"), [("", "a"), ("a.*.b", "a.b"), ("a", "b.*")])
def test_paths_that_do_not_pair(source, target):
    with pytest.raises(ValueError, match=r"as many \*"):
        Place(source, target, DOT)
