"""What the table says that a block equals is what the golden files show."""

import pytest
from equals import golden_cases

from nonlocal_zoo import list_blocks
from nonlocal_zoo.blocks.presets.base import OURS, PAPER
from nonlocal_zoo.registry import BLOCKS

GOLDEN = golden_cases()


@pytest.mark.parametrize("name", list_blocks())
def test_a_class_is_named_where_golden_files_show_it(name):
    assert (BLOCKS.get(name).equals in (PAPER, OURS)) == (name not in GOLDEN)


def test_golden_files_are_of_blocks():
    assert set(GOLDEN) <= set(list_blocks())
