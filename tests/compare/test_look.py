"""The rows of affinities that the report shows."""

import numpy as np
import pytest
import torch

from nonlocal_zoo import build_block
from nonlocal_zoo.experiments.tasks.listening import affinity_row
from nonlocal_zoo.experiments.tasks.segmentation import choose_query

PIXEL = np.array([0.25, 0.5])  # row 1, column 3 of 4 x 6: node 9


@pytest.mark.parametrize("name", ["nl", "snl", "latentgnn", "cc", "ema", "nl_concat", "anl"])
def test_a_row_of_the_matrix(name):
    block = build_block(name, 8).eval()
    x = torch.randn(1, 8, 4, 6)
    expected = block.operator(x).to_dense()[0, 9].detach().abs().reshape(4, 6)
    np.testing.assert_allclose(affinity_row(block, x, PIXEL), expected, atol=1e-6)


def test_mean_over_affinities_between_pixels():
    x = torch.randn(1, 8, 4, 6)
    block = build_block("latentgnn_3", 8).eval()
    dense = torch.stack([operator.to_dense()[0, 9] for operator in block.operators(x)])
    expected = dense.abs().mean(0).reshape(4, 6).detach()
    np.testing.assert_allclose(affinity_row(block, x, PIXEL), expected, atol=1e-6)
    pooling = build_block("gc", 8).eval()  # one row, for all
    expected = pooling.operator(x).to_dense()[0, 0].reshape(4, 6).detach()
    np.testing.assert_allclose(affinity_row(pooling, x, PIXEL), expected, atol=1e-6)
    position = build_block("danet_position", 8).eval()
    both = build_block("danet", 8).eval()
    both.affinities[0].load_state_dict(position.affinities[0].state_dict())
    np.testing.assert_allclose(affinity_row(both, x, PIXEL), affinity_row(position, x, PIXEL))


def test_no_row_where_nodes_are_no_pixels():
    block, x = build_block("danet_channel", 24).eval(), torch.randn(1, 24, 4, 6)
    assert affinity_row(block, x, PIXEL) is None


def test_the_query_is_in_the_rarest_class():
    truth = np.zeros((100, 100), int)
    truth[:, 50:] = 1
    truth[10:13, 20:27] = 2
    truth[0, 0] = 3  # too small
    truth[90:, :] = 255
    assert tuple(choose_query(truth)) == (0.11, 0.23)
    assert tuple(choose_query(np.full((4, 4), 255))) == (0.5, 0.5)
