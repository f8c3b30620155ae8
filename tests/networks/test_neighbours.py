"""Farthest points and nearest neighbours by their definitions, and by torch_geometric if it can."""

import math

import pytest
import torch

pytest.importorskip("torch_geometric")
from nonlocal_zoo.networks import neighbours
from nonlocal_zoo.testing import assert_near

SIZES = (40, 1, 7, 0, 25)
BACKENDS = {
    "fps": [neighbours.numpy_fps, neighbours.pyg_fps],
    "nearest": [neighbours.tree_nearest, neighbours.pyg_nearest],
}


def cases(kind):
    """Ours, and torch_geometric's where it runs."""
    ours, theirs = BACKENDS[kind]
    runs = getattr(neighbours, kind) is theirs
    skip = pytest.mark.skipif(not runs, reason="torch_geometric has none without pyg-lib")
    return pytest.mark.parametrize(kind, [ours, pytest.param(theirs, marks=skip)])


def clouds(sizes=SIZES):
    batch = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return torch.rand(len(batch), 3), batch


@cases("fps")
@pytest.mark.parametrize("ratio", [0.01, 1 / 4, 0.5, 1.0])
def test_farthest_points(fps, ratio):
    """Each is farthest from those before it in its cloud; the first is the cloud's first."""
    pos, batch = clouds()
    chosen = fps(pos, batch, ratio)
    for b, size in enumerate(SIZES):
        members = (batch == b).nonzero().flatten()
        own = [i for i in chosen.tolist() if batch[i] == b]
        assert len(own) == len(set(own)) == math.ceil(ratio * size)
        if own:
            assert own[0] == members[0]
        for k in range(1, len(own)):
            reach = torch.cdist(pos[members], pos[own[:k]]).min(1).values
            assert_near(reach[members.tolist().index(own[k])], reach.max(), 1e-6)


@cases("nearest")
@pytest.mark.parametrize("within", [math.inf, 0.3])
@pytest.mark.parametrize("k", [1, 3, 60])
def test_nearest(nearest, within, k):
    """All pairs, sorted."""
    (x, batch_x), (y, batch_y) = clouds(), clouds((3, 5, 2, 2, 0))
    found = set(map(tuple, nearest(x, y, k, batch_x, batch_y, within).T.tolist()))
    expected = set()
    for i in range(len(y)):
        order = sorted(
            (math.dist(x[j].tolist(), y[i].tolist()), j)
            for j in range(len(x))
            if batch_x[j] == batch_y[i]
        )
        expected |= {(i, j) for distance, j in order[:k] if distance < within}
    assert found == expected


def test_fewer_clouds_have_queries_than_points_and_the_other_way():
    x, batch = clouds((4, 4))
    assert neighbours.tree_nearest(x, x[:4], 1, batch, batch[:4]).shape == (2, 4)
    assert neighbours.tree_nearest(x[:4], x, 1, batch[:4], batch).shape == (2, 4)
    assert neighbours.tree_nearest(x[:0], x[:0], 1, batch[:0], batch[:0]).shape == (2, 0)


def test_interpolation():
    """Inverse squared distances; at a point of x its own value."""
    (x, batch_x), (y, batch_y) = clouds((9, 2)), clouds((5, 3))
    features = torch.randn(11, 4)
    result = neighbours.interpolate(features, x, y, batch_x, batch_y)
    for i in range(8):
        own = (batch_x == batch_y[i]).nonzero().flatten()
        squared = (x[own] - y[i]).square().sum(1)
        near = squared.argsort()[:3]
        weights = 1 / squared[near]
        assert_near(result[i], weights @ features[own][near] / weights.sum(), 1e-5)
    assert_near(neighbours.interpolate(features, x, x, batch_x, batch_x), features, 1e-5)
