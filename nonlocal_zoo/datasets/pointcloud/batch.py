"""Clouds of any sizes as one batch."""

from collections.abc import Sequence

from mmengine.registry import FUNCTIONS
from torch_geometric.data import Batch, Data


@FUNCTIONS.register_module()
def cloud_batch(clouds: Sequence[Data]) -> dict[str, Batch]:
    """torch_geometric's Batch, one cloud after the other, under the name the model takes it by."""
    return dict(cloud=Batch.from_data_list(list(clouds)))
