"""explain: what it says is what runs."""

import pytest
import torch
from tables import BLOCK_OVERRIDES

from nonlocal_zoo import build_block, list_blocks
from nonlocal_zoo.blocks import explain
from nonlocal_zoo.blocks.cost import block_cost


@pytest.mark.parametrize("name", list_blocks())
@pytest.mark.parametrize("training", [False, True])
def test_every_block_explains_itself(name, training):
    block = build_block(name, 8, inner_channels=4, **BLOCK_OVERRIDES.get(name, {})).train(training)
    before = {key: value.clone() for key, value in block.state_dict().items()}
    explanation = explain(block, torch.randn(2, 8, 4, 5))
    assert all(torch.equal(before[key], value) for key, value in block.state_dict().items())
    affinities = [step for step in explanation.steps if step.startswith("affinity")]
    filters = [step for step in explanation.steps if ", filter" in step]
    assert len(affinities) == len(block.affinities)
    assert len(filters) == sum(len(stage.filters) for stage in block.units)
    assert str(explanation).splitlines() == list(explanation.steps)
    total = block_cost(block, (2, 8, 4, 5)).multiply_adds // 2
    assert explanation.steps[-1] == f"in all: {total / 1e9:.4f} G multiply-adds"


@pytest.mark.parametrize(("name", "few"), [("a2", True), ("glore", True), ("nl_dot", False)])
def test_it_says_where_values_are_computed(name, few):
    """On the few nodes that A gathers, where that is the same and less work: and so it runs."""
    block = build_block(name, 16, **({"affinity": {"dim": 4}} if name == "glore" else {}))
    x = torch.randn(1, 16, 20, 20)
    seen = []
    block.units[0].values.register_forward_hook(lambda m, args, y: seen.append(y.shape[1]))
    block(x)
    assert (seen[0] < 400) == few
    told = next(step for step in explain(block, x).steps if "values" in step)
    assert f"(1, {seen[0]}, 8)" in told and ("few nodes" in told) == few
