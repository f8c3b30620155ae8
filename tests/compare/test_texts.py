"""What others called their blocks is shown as they did, in a table that stays one."""

import re
from html import unescape

import pytest
from markdown_it import MarkdownIt

from nonlocal_zoo.blocks.cost import BlockCost
from nonlocal_zoo.experiments.compare.budget import Entry
from nonlocal_zoo.experiments.compare.grammar import Row
from nonlocal_zoo.experiments.compare.leaderboard import Line
from nonlocal_zoo.experiments.compare.texts import HEADER, markdown
from nonlocal_zoo.tables import escaped

NAMES = (
    "nl,inner_channels=4",
    "a|b",
    "a\\|b",
    "<img src=x onerror=alert(1)>",
    "**bold** *it* _it_ __b__ ~~no~~",
    "[a](http://x.y) ![i](j) [a]: b",
    "`code` \\` $x$ &amp; &lt; #1",
    "{name: nl, reduction: 4}",
    "snl_chebyshev _x y_ x_y_z",
)


def shown(text):
    """(cells of the table's body, the paragraphs) of what a browser would show."""
    html = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)
    plain = lambda part: unescape(re.sub("<[^>]+>", "", part))  # noqa: E731
    rows = [
        re.findall("<td[^>]*>(.*?)</td>", row) for row in re.findall("<tr>(.*?)</tr>", html, re.S)
    ]
    return [[plain(cell) for cell in row] for row in rows[1:]], [
        plain(p) for p in re.findall("<p>(.*?)</p>", html, re.S)]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_are_shown_as_they_are(name):
    cost = BlockCost(*[0] * len(BlockCost._fields))
    entry = Entry(Row(name, None), cost, cost, f"not matched: {name}")
    line = Line(entry, {0: 1.0}, 1.0, float("nan"), float("nan"), None, {}, 0.5)
    (cells,), (caption,) = shown(markdown([line], name))
    assert len(cells) == len(HEADER)
    assert (cells[0], cells[-1]) == (name, f"not matched: {name}")
    assert caption.startswith(f"{name} on the test set")


def test_lines_are_joined_and_words_are_left_alone():
    assert escaped("a\n| b\r\n# c") == "a \\| b \\# c"
    assert escaped("snl_chebyshev,graph_filter.order=3") == "snl_chebyshev,graph_filter.order=3"
