"""Equal budgets, counted by hand where that can be done."""

import pytest

from nonlocal_zoo.engine.config import ConfigError
from nonlocal_zoo.experiments.compare.budget import match, price
from nonlocal_zoo.experiments.compare.grammar import parse, parse_all
from nonlocal_zoo.experiments.compare.place import plan_of, with_block

C, N = 8, 64  # channels and nodes where the block stands: 32 x 32 pictures, stride 4


def cost_of(config):
    return plan_of(config).get_task().cost(config)


def by_label(entries):
    return {entry.row.label: entry for entry in entries}


def test_added_cost_is_that_of_the_block(base):
    entries = by_label(price(base, parse_all(["nl,inner_channels=3"])))
    assert entries["none"].added[:2] == entries["identity"].added[:2] == (0, 0)
    parameters = 4 * C * 3 + 3 * 3 + C
    added = (parameters, 4 * N * C * 3 + 2 * N * N * 3)
    assert entries["nl,inner_channels=3"].added[:2] == added


@pytest.mark.parametrize("kind", ["params", "flops"])
def test_matched_blocks_add_the_same(base, kind):
    rows = parse_all(["nl,inner_channels=40", "snl", "latentgnn,affinity.dim=20", "nl_gaussian"])
    matched = by_label(match(base, price(base, rows), kind, rows[2]))
    assert matched["nl,inner_channels=40"].note == f"reference of {kind}"
    target = matched["nl,inner_channels=40"].added
    for label in ("snl", "nl_gaussian", "latentgnn,affinity.dim=20"):
        entry = matched[label]
        inner = entry.row.block["inner_channels"]
        assert entry.note == f"inner_channels={inner}"
        field = {"params": 0, "flops": 1}[kind]
        assert abs(entry.added[field] / target[field] - 1) < 0.05
        for other in (inner - 1, inner + 1):  # the nearest there is
            cost = cost_of(with_block(base, {**entry.row.block, "inner_channels": other}))
            added = cost[field] - matched["none"].cost[field]
            assert abs(added - target[field]) >= abs(entry.added[field] - target[field])


def test_what_cannot_match_says_why_and_stays(base):
    rows = parse_all(["nl,inner_channels=1", "danet_channel", "snl_chebyshev,norm=batch,stages=3"])
    priced = by_label(price(base, rows))
    matched = by_label(match(base, [*priced.values()], "params", rows[2]))
    assert "no inner_channels to choose: it adds 1" in matched["danet_channel"].note
    note = matched["snl_chebyshev,norm=batch,stages=3"].note
    assert "params not matched: the nearest, inner_channels=1, adds" in note and "not 43" in note
    for label in ("none", "identity", "danet_channel", "snl_chebyshev,norm=batch,stages=3"):
        assert matched[label].row == priced[label].row
    assert matched["none"].note == matched["identity"].note == ""


def test_what_is_off_by_a_quarter_does_not_match(base):
    """nl adds 43, 78, ... parameters here; of 59 the nearest is 27 % off."""
    rows = parse_all(["nl_gaussian,inner_channels=3", "nl"])
    matched = by_label(match(base, price(base, rows), "params", rows[2]))
    assert matched["nl_gaussian,inner_channels=3"].added.parameters == 59
    note = "params not matched: the nearest, inner_channels=1, adds 43 and not 59"
    assert matched["nl"].note == note and matched["nl"].row == rows[3]


def test_groups_are_kept_whole(base):
    rows = parse_all(["nl,inner_channels=100", "affinity={type: latent, dim: 6, groups: 2}"])
    entry = match(base, price(base, rows), "params", rows[2])[-1]
    assert "inner_channels=" in entry.note and "not matched" not in entry.note


@pytest.mark.parametrize(
    ("section", "words"),
    [
        (None, "needed is compare=dict(places="),
        (dict(places=["model.decode_hed.block"], metric="mIoU", pictures=[]), "decode_hed"),
        (dict(places=["default_scope.x"], metric="mIoU", pictures=[]), "default_scope"),
        (
            dict(places=[], metric="mIoU", pictures=[], task="segmentatoin"),
            "Did you mean 'segmentation'",
        ),
        (dict(place=[]), "takes no argument 'place'"),
    ],
)
def test_a_section_that_leads_nowhere(base, section, words):
    config = base.copy()
    config.compare = section
    with pytest.raises(ConfigError) as error:
        plan_of(config)
    assert words in str(error.value)


def test_places_in_a_list(base):
    """Insertion into a backbone; without a block nothing is inserted."""
    from mmengine.config import ConfigDict

    config = base.copy()
    entry = ConfigDict(stage="layer1", position="end", block=None)
    config.model.backbone.update(type="WithBlocks", host="ResNet", insert=[entry])
    config.compare = dict(config.compare, places=["model.backbone.insert.0.block"])
    none, identity, nl = price(config, parse_all(["nl,inner_channels=3"]))
    assert none.cost == cost_of(base) == identity.cost
    assert nl.added.parameters == 4 * 8 * 3 + 3 * 3 + 8
    assert parse("none").block is None
