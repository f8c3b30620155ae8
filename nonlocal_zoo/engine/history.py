"""Checkpoints that ``torch.load(weights_only=True)`` opens, and that resume all the same."""

import logging
from collections import Counter, OrderedDict
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer, print_log
from mmengine.registry import HOOKS
from mmengine.runner import Runner

# What the unpickler of weights_only=True makes without a list of further classes to trust.
PLAIN = (type(None), bool, int, float, str, bytes, torch.Tensor, torch.nn.Parameter,
         torch.Size, torch.dtype, torch.device)  # fmt: skip
MAPPINGS = (dict, OrderedDict, Counter)


def plain(value: Any, name: str) -> Any:
    """The same ``value`` in tensors, numbers, strings and containers of them.

    numpy scalars become numbers, arrays tensors; subclasses of dict, list and tuple become those
    (but for OrderedDict and Counter, which the unpickler knows).

    Args:
        value: what is to stand in a checkpoint.
        name: where it stands there; for the error.

    Raises:
        TypeError: something in it is of another type.
    """
    if type(value) in PLAIN:
        return value
    if isinstance(value, np.generic):  # before float: np.float64 is one
        return plain(value.item(), name)
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return torch.from_numpy(value.copy())
    if isinstance(value, dict):
        kind = type(value) if type(value) in MAPPINGS else dict
        pairs = {plain(key, name): plain(item, f"{name}.{key}") for key, item in value.items()}
        return kind(pairs)
    if isinstance(value, list | tuple):
        items = [plain(item, f"{name}[{i}]") for i, item in enumerate(value)]
        return items if isinstance(value, list) else tuple(items)
    raise TypeError(
        f"checkpoint: {name} is a {type(value).__name__}; allowed are None, numbers, strings, "
        f"bytes, tensors, numpy arrays of numbers, and dicts, lists and tuples of these"
    )


@HOOKS.register_module()
class SafeHistoryHook(Hook):
    """Writes checkpoints without pickled objects, and reads its own back.

    mmengine 0.10.7 pickles its HistoryBuffer objects and numpy scalars (the best score, for one)
    into checkpoints, which ``torch.load`` of torch 2.6 and later refuses: a run cannot load what
    it wrote (github.com/open-mmlab/mmengine, issue 1655 and pull request 1650). Here a history is
    stored as two tensors and its maximal length. Without this hook such a checkpoint still resumes,
    with the histories left out.

    ``Runner.resume`` of mmengine runs ``meta["config"]``, a Python text in the checkpoint, to
    compare numbers of GPUs. Nothing needs that text: it is taken out before mmengine sees it.
    """

    priority = "LOWEST"  # the other hooks have put in what they want to save

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Makes all of the checkpoint plain, but for the state dict, which is."""
        hub = checkpoint["message_hub"]
        hub["log_scalars"] = {name: _pack(buf) for name, buf in hub["log_scalars"].items()}
        for name, value in list(hub["runtime_info"].items()):
            try:
                hub["runtime_info"][name] = plain(value, f"runtime_info.{name}")
            except TypeError as error:  # for display only: no reason to lose the checkpoint
                print_log(f"{error}. It is left out.", "current", logging.WARNING)
                del hub["runtime_info"][name]
        for name in checkpoint.keys() - {"state_dict"}:
            checkpoint[name] = plain(checkpoint[name], name)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Makes HistoryBuffers of the stored histories, and drops the text that would be run."""
        checkpoint.get("meta", {}).pop("config", None)
        histories = checkpoint.get("message_hub", {}).get("log_scalars", {})
        for name, stored in histories.items():
            histories[name] = HistoryBuffer(
                stored["values"].cpu().numpy(), stored["counts"].cpu().numpy(), stored["length"]
            )


def _pack(buffer: HistoryBuffer) -> dict[str, Any]:
    values, counts = buffer.data
    return {
        "values": torch.from_numpy(values),
        "counts": torch.from_numpy(counts),
        "length": buffer.max_length,
    }
