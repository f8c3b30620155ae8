"""What a config that was written for GPUs needs in order to run without them."""

import warnings
from typing import Any

import torch
import torch.distributed as dist
from mmengine.config import Config

from .config import ConfigError


def adapt(config: Config) -> None:
    """Makes ``config`` run on this machine.

    SyncBN becomes BN where there is one process only or no CUDA: torch's SyncBatchNorm takes CUDA
    tensors only. The keys of the state dict stay as they are. One warning.

    Several processes without CUDA talk through gloo. mmengine's ``init_dist`` calls ``torch.cuda``
    whatever the backend is, but leaves alone a group that is already there; its default wrapper
    gives DDP a device number.

    Args:
        config: changed in place; ``config.launcher`` must be set.

    Raises:
        ConfigError: without CUDA, a launcher other than none and pytorch, or mixed precision.
    """
    cuda = torch.cuda.is_available()
    if (config.launcher == "none" or not cuda) and (count := _replace_sync_bn(config.model)):
        reason = "there is one process" if cuda else "there is no GPU"
        warnings.warn(f"{count} SyncBN in the config run as BN: {reason}", stacklevel=2)
    if cuda:
        return
    if config.get("optim_wrapper", {}).get("type") == "AmpOptimWrapper":
        raise ConfigError("optim_wrapper.type='AmpOptimWrapper' (--amp): mmengine has mixed "
                          "precision on GPUs only; allowed here is 'OptimWrapper'")  # fmt: skip
    if config.launcher != "none":
        _use_gloo(config)


def _replace_sync_bn(node: Any) -> int:
    count = 0
    if isinstance(node, dict):
        if node.get("type") in ("SyncBN", "MMSyncBN"):
            node["type"] = "BN"
            count = 1
        node = list(node.values())
    if isinstance(node, list | tuple):
        count += sum(_replace_sync_bn(item) for item in node)
    return count


def _use_gloo(config: Config) -> None:
    if config.launcher != "pytorch":
        raise ConfigError(
            f"--launcher={config.launcher!r}: without CUDA allowed are 'none' and 'pytorch'"
        )
    if not dist.is_initialized():
        dist.init_process_group("gloo")
    config.sync_bn = None
    config.model_wrapper_cfg = dict(
        type="MMDistributedDataParallel",
        device_ids=None,
        broadcast_buffers=False,
        find_unused_parameters=config.get("find_unused_parameters", False),
    )


def leave_group() -> None:
    """Ends this process's part in a group, once all are here.

    gloo's threads must not be running when the interpreter ends: now and then that aborts the
    process ("terminate called without an active exception"), and torchrun then kills the others,
    which may still be writing.
    """
    if dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()
