"""PointNet++: its parts by their definitions, and whole in mmengine's ways."""

import pytest
import torch

pytest.importorskip("torch_geometric")
from mmengine.registry import MODELS
from torch_geometric.data import Data

from nonlocal_zoo import build_block, list_blocks
from nonlocal_zoo.datasets.pointcloud import cloud_batch
from nonlocal_zoo.networks.latent_dims import build_with_dim
from nonlocal_zoo.networks.pointnet2 import PointNet2, SetAbstraction
from nonlocal_zoo.testing import assert_near, randomize_, refuses, uses_grid

SMALL = dict(
    num_classes=3,
    in_channels=1,
    latent_dims=(6, 4),
    ratios=(1 / 4, 1 / 4),
    radii=(0.5, 1.0),
    neighbours=8,
    widths=((8, 16), (16, 16)),
    up_widths=((16, 16), (16, 16)),
)


def clouds(*sizes):
    return cloud_batch(
        [Data(pos=torch.rand(n, 3), x=torch.rand(n, 1), y=torch.randint(0, 3, (n,))) for n in sizes]
    )


def points(*sizes):
    cloud = clouds(*sizes)["cloud"]
    return cloud.x, cloud.pos, cloud.batch


def test_set_abstraction_by_hand():
    """max over the nearest 5 within the radius of one layer of (x_j, (p_j - p_i) / radius)."""
    layer = SetAbstraction(1, (4,), 1 / 4, radius=0.4, neighbours=5, block=None).eval()
    x, pos, batch = points(40, 12)
    y, places, owners = layer(x, pos, batch)
    assert owners.tolist() == [0] * 10 + [1] * 3
    for i in range(13):
        own = (batch == owners[i]).nonzero().flatten()
        distance = (pos[own] - places[i]).norm(dim=1)
        order = [own[j] for j in distance.argsort()[:5] if distance[j] < 0.4]
        messages = torch.stack([torch.cat([x[j], (pos[j] - places[i]) / 0.4]) for j in order])
        mlp = layer.conv.local_nn
        expected = mlp.norms[0](mlp.lins[0](messages)).relu().max(0).values
        assert_near(y[i], expected, 1e-5)


def able():
    return [name for name in list_blocks() if not uses_grid(build_block(name, 16))]


@pytest.mark.parametrize("name", [None, *able()])
def test_every_block(name):
    """It trains, and what it says of a cloud does not depend on the others in the batch."""
    block = None if name is None else dict(name=name)
    model = randomize_(PointNet2(block=block, **SMALL))
    batch = clouds(64, 20, 33)
    loss = model.train()(**batch, mode="loss")["loss"]
    loss.backward()
    without = [key for key, p in model.named_parameters() if p.grad is None]
    assert loss.isfinite() and not without
    together = model.eval()(**batch).split([64, 20, 33])
    for cloud, expected in zip(batch["cloud"].to_data_list(), together, strict=True):
        assert_near(model(**cloud_batch([cloud])), expected, 1e-4)


def test_blocks_start_as_they_should():
    """With blocks that start at zero the network is the one without."""
    torch.manual_seed(0)
    plain, batch = PointNet2(**SMALL).eval(), clouds(50, 20)
    for name in ("nl", "latentgnn"):
        model = PointNet2(block=dict(name=name), **SMALL).eval()
        missing = model.load_state_dict(plain.state_dict(), strict=False)
        assert all(".block." in key for key in missing.missing_keys)
        assert not missing.unexpected_keys
        assert torch.equal(model(**batch), plain(**batch))


def test_loss():
    """The weighted mean over the labels that count; nothing counted is no NaN."""
    model, batch = PointNet2(class_weights=(1, 2, 4), **SMALL).eval(), clouds(30)
    cloud = batch["cloud"]
    cloud.y[::3] = 255
    logits = model(**batch).log_softmax(1)
    counted = cloud.y != 255
    weights = torch.tensor([1.0, 2, 4])[cloud.y[counted]]
    picked = logits[counted].gather(1, cloud.y[counted, None])[:, 0]
    assert_near(
        model(**batch, mode="loss")["loss"], -(weights * picked).sum() / weights.sum(), 1e-5
    )
    cloud.y[:] = 255
    assert model(**batch, mode="loss")["loss"] == 0


def test_predictions_are_by_cloud():
    model, batch = PointNet2(**SMALL).eval(), clouds(30, 9)
    cloud, logits = batch["cloud"], model(**batch)
    for sample, part in zip(model(**batch, mode="predict"), cloud.to_data_list(), strict=True):
        assert sample["pos"].equal(part.pos) and sample["label"].equal(part.y)
    answers = torch.cat([s["prediction"] for s in model(**batch, mode="predict")])
    assert answers.equal(logits.argmax(1))
    assert model.val_step(batch)[0]["prediction"].shape == (30,)


def test_latent_dimensions():
    """80, 40, 20 and 10, one a level, in each kernel; other affinities have none."""
    for name, kernels in (("latentgnn", 1), ("latentgnn_3", 3), ("latentgnn_mixture", 3)):
        model = MODELS.build(dict(type="PointNet2", num_classes=2, block=dict(name=name)))
        for level, dim in zip(model.down, (80, 40, 20, 10), strict=True):
            found = [
                p.shape[0]
                for key, p in level.block.named_parameters()
                if key.endswith("send.weight")
            ]
            assert found.count(dim) == kernels
    same = build_block("snl", 16).state_dict()
    assert {k: v.shape for k, v in build_with_dim(7, 16, "snl").state_dict().items()} == {
        k: v.shape for k, v in same.items()
    }


def test_a_cloud_without_features():
    model = PointNet2(**{**SMALL, "in_channels": 0}).eval()
    cloud = Data(pos=torch.rand(40, 3))
    assert model(cloud).shape == (40, 3)


def test_wrong_arguments():
    refuses(ValueError, lambda: PointNet2(**{**SMALL, "radii": (1,)}), "[2, 2, 1, 2, 2]")
    refuses(ValueError, lambda: PointNet2(class_weights=(1, 2), **SMALL), "3 numbers")
    refuses(ValueError, lambda: PointNet2(**SMALL)(clouds(9)["cloud"], mode="x"), "mode='x'")
    refuses(ValueError, lambda: PointNet2(block=dict(name="cc"), **SMALL), "picture")
