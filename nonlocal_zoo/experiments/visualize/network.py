"""A trained network, a picture, and what goes into one of its blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DATASETS, MODELS, init_default_scope
from torch import Tensor, nn

from ...blocks import NonLocalBlock
from ...engine.config import ConfigError
from ...engine.cpu import adapt
from ...engine.launch import check_weights, load_plain
from ...registry import near
from ..tasks import PictureTask, task_of


@dataclass(frozen=True)
class Captured:
    """Attributes:
    image: (H, W, 3) uint8, RGB: the picture as the test pipeline hands it to the network.
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
    init_default_scope(config.get("default_scope", "mmengine"))
    if "mode" in (config.model.get("test_cfg") or {}):
        config.model.test_cfg.mode = "whole"
    model = MODELS.build(config.model)
    check_weights(model, weights, checkpoint)
    model.load_state_dict({name.removeprefix("module."): w for name, w in weights.items()})
    return model.eval()


def picture_task(model: nn.Module) -> PictureTask:
    """The task of a network that sees pictures.

    Raises:
        ConfigError: it sees something else.
    """
    try:
        task = task_of(model)
    except LookupError as error:
        raise ConfigError(str(error)) from None
    if not isinstance(task, PictureTask):
        raise ConfigError(
            f"model.type={type(model).__name__!r} sees no pictures; allowed: a network of "
            "segmentation, detection or classification"
        )
    return task


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


def find_sample(config: Config, image: str) -> dict:
    """What the network gets of the picture ``image``, a path or a number in the test set.

    Raises:
        FileNotFoundError: no such picture.
        ConfigError: the set has fewer pictures.
    """
    settings = config.test_dataloader.dataset
    if not image.isdigit():
        steps = [step for step in settings.pipeline if "LoadAnnotations" not in step["type"]]
        if "LoadImage" not in steps[0]["type"]:  # a set of arrays
            steps.insert(0, dict(type="LoadImageFromFile"))
        return Compose(steps)(dict(img_path=image, gt_label=0))
    dataset = DATASETS.build(settings)
    if int(image) >= len(dataset):
        raise ConfigError(f"--image {image}: the test set has 0 to {len(dataset) - 1}")
    return dataset[int(image)]


@torch.no_grad()
def capture(
    task: PictureTask, model: nn.Module, sample: dict, blocks: dict[str, NonLocalBlock]
) -> Captured:
    """Runs the network on a sample.

    Raises:
        ConfigError: the network does not take it, or a block did not run.
    """
    inputs: dict[str, Tensor] = {}
    hooks = [
        layer.register_forward_pre_hook(lambda _, args, n=name: inputs.setdefault(n, args[0]))
        for name, layer in {**blocks, "": model.backbone}.items()
    ]
    try:
        task.answer(model, sample)
    except ValueError as error:
        raise ConfigError(f"--image: {error}") from error
    finally:
        for hook in hooks:
            hook.remove()
    if missing := blocks.keys() - inputs.keys():
        raise ConfigError(f"{sorted(missing)} did not run on this picture")
    extent = tuple(map(float, inputs.pop("").shape[2:]))
    return Captured(task.picture(sample), inputs, extent)
