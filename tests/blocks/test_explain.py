"""block.explain: what it says is what runs."""

import pytest
import torch
from tables import BLOCK_OVERRIDES
from torch.utils.flop_counter import FlopCounterMode

from nonlocal_zoo import build_block, list_blocks
from nonlocal_zoo.operators import LowRank
from nonlocal_zoo.operators.chain import chain_ways, every_order


@pytest.mark.parametrize("name", list_blocks())
@pytest.mark.parametrize("training", [False, True])
def test_every_block_explains_itself(name, training):
    block = build_block(name, 8, inner_channels=4, **BLOCK_OVERRIDES.get(name, {})).train(training)
    before = {key: value.clone() for key, value in block.state_dict().items()}
    explanation = block.explain(torch.randn(2, 8, 4, 5))
    assert all(torch.equal(before[key], value) for key, value in block.state_dict().items())
    decisions = [step for step in explanation.steps if step.ways]
    assert len(decisions) >= len(block.affinities)
    for step in decisions:
        assert any(way.chosen for way in step.ways)
        assert all(way.multiply_adds >= 0 and way.numbers >= 0 for way in step.ways)
        assert step.name in str(explanation) and step.ways[0].name in str(explanation)
    assert len(str(explanation).splitlines()) > len(explanation.steps)


@pytest.mark.parametrize(("nodes", "rank"), [(6, 20), (50, 3)])
def test_the_chosen_order_is_what_runs(nodes, rank):
    operator = LowRank(*(torch.randn(1, nodes, rank) for _ in range(2)))
    chosen = [way for way in operator.ways(8) if way.chosen]
    with FlopCounterMode(display=False) as counter:
        operator.matmul(torch.randn(1, nodes, 8))
    assert [2 * way.multiply_adds for way in chosen] == [counter.get_total_flops()]
    assert chosen[0].multiply_adds == min(way.multiply_adds for way in operator.ways(8))


def test_all_orders_of_a_chain():
    """Catalan's number of them; (A B) C and A (B C) by hand."""
    assert len(list(every_order((2, 3, 4, 5, 6)))) == 5
    ways = {way.name: way[1:] for way in chain_ways((2, 3, 4, 5), ["A", "B", "C"])}
    assert ways == {"(A B) C": (24 + 40, 8, True), "A (B C)": (60 + 30, 15, False)}


def test_folding_is_told():
    block = build_block("snl", 8)
    x = torch.randn(1, 8, 3, 3)
    assert "BatchNorm1d, after the filters" in str(block.train().explain(x))
    assert "folded" in str(block.eval().explain(x))
    assert "norm: none" in str(build_block("nl", 8).explain(x))
