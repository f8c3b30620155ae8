"""A pair that is refused names the setting that helps, and docs/pairs.md has them all."""

import pytest
from pairs import all_pairs, error_of, in_words

REFUSED = {names: pair for names, pair in all_pairs().items() if pair.error}
HELPED = [names for names, pair in REFUSED.items() if pair.settings]
NEVER = [names for names, pair in REFUSED.items() if not pair.settings]


@pytest.mark.parametrize(("affinity", "graph_filter"), HELPED)
def test_the_error_names_what_helps(affinity, graph_filter):
    """All of it at once; only over channels, where the values must fit first, in two steps."""
    pair, error = REFUSED[affinity, graph_filter], REFUSED[affinity, graph_filter].error
    fewest = [s for s in pair.settings if len(s) == len(pair.settings[0])]
    followed = {}
    while error:
        said = error.rpartition(". With ")[2]
        news = [
            {key: value for key, value in setting.items() if in_words({key: value}) in said}
            for setting in fewest
        ]
        new = max(news, key=len)
        assert new.keys() - followed.keys(), f"names none of {fewest}: {error}"
        followed |= new
        error = error_of(affinity, graph_filter, followed)
        assert not error or affinity == "channel"
    assert followed in fewest


@pytest.mark.parametrize(("affinity", "graph_filter"), NEVER)
def test_the_error_says_that_nothing_helps(affinity, graph_filter):
    """Or asks for values that the affinity does not take."""
    pair = REFUSED[affinity, graph_filter]
    assert "no setting helps" in pair.error or affinity in ("channel", "compact")
    assert "no setting helps" in pair.left or (affinity, graph_filter) == ("compact", "propagation")
