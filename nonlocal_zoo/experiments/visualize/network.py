"""A trained network, a picture, and what goes into one of its blocks."""

from __future__ import annotations

from dataclasses import dataclass

import mmcv
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.fileio import get
from mmengine.registry import DATASETS
from mmseg.apis import init_model
from torch import Tensor, nn

from ...blocks import NonLocalBlock
from ...engine.config import ConfigError
from ...engine.cpu import adapt
from ...engine.launch import check_weights, load_plain
from ...registry import near


@dataclass(frozen=True)
class Captured:
    """Attributes:
    image: (H, W, 3) uint8, RGB.
    inputs: name of a block -> (1, C, h, w), what went into it.
    extent: (height, width) in pixels of the picture that the features cover: those of the picture,
        or more where the network pads it.
    """

    image: np.ndarray
    inputs: dict[str, Tensor]
    extent: tuple[float, float]


def load(config: Config, checkpoint: str) -> nn.Module:
    """The network of a config with the weights of a checkpoint, in evaluation mode on the CPU.

    Whole pictures are shown to it, whatever ``test_cfg.mode`` says.

    Raises:
        ConfigError: the checkpoint cannot be loaded, or is of another network.
    """
    config.launcher = "none"
    adapt(config)
    weights = load_plain(checkpoint)
    weights = weights.get("state_dict", weights)
    model = init_model(config, device="cpu")
    check_weights(model, weights, checkpoint)
    model.load_state_dict({name.removeprefix("module."): w for name, w in weights.items()})
    model.test_cfg = Config(dict(mode="whole"))
    return model


def choose_blocks(model: nn.Module, names: list[str] | None) -> dict[str, NonLocalBlock]:
    """The blocks of these names; None: the only one.

    Raises:
        ConfigError: there is none of that name, or no name and not one block.
    """
    blocks = {n: m for n, m in model.named_modules() if isinstance(m, NonLocalBlock)}
    if names is None and len(blocks) != 1:
        found = f"{len(blocks)} blocks; --block allows {list(blocks)}" if blocks else "no block"
        raise ConfigError(f"the network has {found}")
    for name in names or ():
        if name not in blocks:
            raise ConfigError(f"--block {name}: not in the network.{near(name, blocks)} "
                              f"Allowed: {list(blocks)}")  # fmt: skip
    return {name: blocks[name] for name in names or blocks}


def find_image(config: Config, image: str) -> str:
    """The path ``image``, or if it is a number the path of that picture of the test set.

    Raises:
        ConfigError: the set has fewer pictures.
    """
    if not image.isdigit():
        return image
    dataset = DATASETS.build(config.test_dataloader.dataset)
    if int(image) >= len(dataset):
        raise ConfigError(f"--image {image}: the test set has 0 to {len(dataset) - 1}")
    return dataset.get_data_info(int(image))["img_path"]


@torch.no_grad()
def capture(model: nn.Module, path: str, blocks: dict[str, NonLocalBlock]) -> Captured:
    """Runs the network on a picture, by the test pipeline of its config.

    Raises:
        FileNotFoundError: no such picture.
        ConfigError: a block did not run.
    """
    image = mmcv.imfrombytes(get(path), channel_order="rgb")
    inputs: dict[str, Tensor] = {}
    hooks = [
        block.register_forward_pre_hook(lambda _, args, n=name: inputs.setdefault(n, args[0]))
        for name, block in blocks.items()
    ]
    steps = model.cfg.test_dataloader.dataset.pipeline
    pipeline = Compose([step for step in steps if step["type"] != "LoadAnnotations"])
    (sample,) = model.test_step(pseudo_collate([pipeline(dict(img_path=path))]))
    for hook in hooks:
        hook.remove()
    if missing := blocks.keys() - inputs.keys():
        raise ConfigError(f"{sorted(missing)} did not run on this picture")
    shown, padded = sample.img_shape, sample.metainfo.get("pad_shape", sample.img_shape)
    extent = tuple(float(a * b / c) for a, b, c in zip(image.shape, padded, shown, strict=False))
    return Captured(image, inputs, extent)
