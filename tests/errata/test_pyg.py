import pytest
import torch

from nonlocal_zoo.operators import Dense

pytest.importorskip("torch_geometric")
EDGES = torch.tensor([[0, 1], [1, 0]])


def our_gradient():
    """Of the symmetric normalisation of two nodes without edges."""
    weights = torch.zeros(1, 2, 2, requires_grad=True)
    operator = Dense(weights, symmetric=True, nonnegative=True).normalize("sym")
    operator.matmul(torch.ones(1, 2, 1)).sum().backward()
    return weights.grad


def test_gcn_norm():
    """torch-geometric 2.8.1, gcn_norm
    | the gradient of the edge weights is NaN where a degree is zero
    | normalize("sym") is guarded: zero, and finite gradients
    """
    from torch_geometric.nn.conv.gcn_conv import gcn_norm

    weight = torch.zeros(2, requires_grad=True)
    normalised = gcn_norm(EDGES, weight, 2, add_self_loops=False)[1]
    assert normalised.isfinite().all()
    normalised.sum().backward()
    assert weight.grad.isnan().all()
    assert our_gradient().isfinite().all()


def test_get_laplacian():
    """torch-geometric 2.8.1, get_laplacian(normalization="sym")
    | the gradient of the edge weights is NaN where a degree is zero
    | normalize("sym") is guarded: zero, and finite gradients
    """
    from torch_geometric.utils import get_laplacian

    weight = torch.zeros(2, requires_grad=True)
    laplacian = get_laplacian(EDGES, weight, "sym", num_nodes=2)[1]
    assert laplacian.isfinite().all()
    laplacian.sum().backward()
    assert weight.grad.isnan().all()
    assert our_gradient().isfinite().all()


def test_lazy_arma():
    """torch-geometric 2.8.1, ARMAConv(-1, ..., num_layers=1)
    | has twice the root weights of ARMAConv(C, ..., num_layers=1), so that weights do not load
    | widths are given or read off the host, never filled in later
    """
    from torch_geometric.nn import ARMAConv

    eager, lazy = (ARMAConv(width, 8, num_layers=1) for width in (4, -1))
    lazy(torch.randn(2, 4), EDGES)
    assert lazy.root_weight.shape[0] == 2 * eager.root_weight.shape[0]


def test_no_farthest_points():
    """torch-geometric 2.8.1, fps, knn, radius
    | raise without pyg-lib, which the package index does not have; torch-cluster is not asked
    | networks/neighbours.py: scipy's k-d tree and numpy, held to the same definitions
    """
    pytest.importorskip("scipy")
    from torch_geometric.nn import fps, knn
    from torch_geometric.typing import WITH_PYG_LIB

    from nonlocal_zoo.networks import neighbours

    if WITH_PYG_LIB:
        pytest.skip("pyg-lib is there")
    pos, batch = torch.rand(4, 3), torch.zeros(4, dtype=torch.long)
    with pytest.raises(ImportError, match="pyg-lib"):
        fps(pos, batch)
    with pytest.raises(ImportError, match="pyg-lib"):
        knn(pos, pos, 1)
    assert neighbours.fps(pos, batch, 0.5)[0] == 0
    assert neighbours.nearest(pos, pos, 1, batch, batch).tolist() == [[0, 1, 2, 3]] * 2


def test_a_batch_stays_where_it_is():
    """mmengine 0.10.7, BaseDataPreprocessor.cast_data
    | returns a torch_geometric Batch as it came, not moved to the device, without a word
    | CloudPreprocessor moves it
    """
    pytest.importorskip("mmengine")
    from mmengine.model import BaseDataPreprocessor
    from torch_geometric.data import Batch, Data

    from nonlocal_zoo.networks.pointnet2 import CloudPreprocessor

    batch = Batch.from_data_list([Data(pos=torch.rand(4, 3))])
    left = BaseDataPreprocessor().to("meta")(dict(cloud=batch))["cloud"]
    assert left.pos.device.type == "cpu"
    moved = CloudPreprocessor().to("meta")(dict(cloud=batch))["cloud"]
    assert moved.pos.device.type == "meta"
