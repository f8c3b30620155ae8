"""Backbones that are not trained: what they say of a picture is computed once and kept."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from ..atomic import replacing
from ..tracing import makes_plain_tensors

# What torch.load says of a file that is not its own.
DAMAGED = (RuntimeError, EOFError, OSError, LookupError, ValueError, pickle.UnpicklingError)


@MODELS.register_module()
class FrozenBackbone(nn.Module):
    """host(x) in evaluation mode without gradients, each picture's once.

    Features are kept in half precision, in a file for each picture under ``cache``: its name is a
    digest of the picture's values, its folder's name one of the host's weights. What changes
    either (a transform, a flip, other weights) has another file, so that a cache can be shared by
    runs, and nothing in it is ever wrong or has to be removed. A file is there whole or not at all.

    Args:
        host: config of a backbone, (B, 3, H, W) -> a sequence of feature maps.
        cache: folder of the files; None: nothing is kept.

    Shapes: those of the host. The values are rounded to half precision whether they come from the
    cache or not.
    """

    def __init__(self, host: dict, cache: str | None = None) -> None:
        super().__init__()
        self.host = MODELS.build(host).requires_grad_(False).eval()
        self.cache = None if cache is None else Path(cache)
        self._digest: tuple[int, str] | None = None

    def train(self, mode: bool = True) -> FrozenBackbone:
        super().train(mode)
        self.host.eval()
        return self

    @torch.no_grad()
    def forward(self, x: Tensor) -> list[Tensor]:
        if self.cache is None or not (makes_plain_tensors() and x.device.type != "meta"):
            return [features.half().to(x.dtype) for features in self.host(x)]
        folder = self.cache / self.weights_digest()
        pictures = [read_or_make(folder, picture, self.host) for picture in x.cpu()]
        return [torch.stack(level).to(x.device, x.dtype) for level in zip(*pictures, strict=True)]

    def weights_digest(self) -> str:
        """Of the host's weights and buffers; computed anew after they were written to."""
        state = self.host.state_dict()
        version = sum(tensor._version for tensor in state.values())
        if self._digest is None or self._digest[0] != version:
            digest = hashlib.blake2b(digest_size=16)
            for name, tensor in sorted(state.items()):
                digest.update(name.encode())
                digest.update(tensor.cpu().contiguous().numpy())
            self._digest = version, digest.hexdigest()
        return self._digest[1]


def read_or_make(folder: Path, picture: Tensor, host: nn.Module) -> Sequence[Tensor]:
    """The host's features of one picture (3, H, W), each (C, h, w) in half precision."""
    name = hashlib.blake2b(picture.contiguous().numpy(), digest_size=16).hexdigest()
    path = folder / name[:2] / f"{name}-{'x'.join(map(str, picture.shape))}.pt"
    if path.exists():
        try:
            return torch.load(path, weights_only=True)
        except DAMAGED:  # of another program's making: ours are whole
            path.unlink(missing_ok=True)
    device = next(host.parameters()).device
    features = [level[0].half().cpu() for level in host(picture[None].to(device))]
    with replacing(path) as unfinished:
        torch.save(features, unfinished)
    return features
