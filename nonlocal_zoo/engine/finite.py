"""A run whose numbers have gone bad ends, and says where they did."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor, nn

from .errors import RunError
from .work_dir import standing


def tensors(value: Any) -> Iterator[Tensor]:
    """The floating-point tensors in ``value``, its containers and mmengine's data elements."""
    if isinstance(value, Tensor):
        if value.is_floating_point():
            yield value
    elif isinstance(value, Mapping):
        yield from tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors(item)


def finite(value: Any) -> bool:
    """Whether no tensor in ``value`` has a NaN or an infinity."""
    return all(t.isfinite().all() for t in tensors(value))


def first_bad_layer(model: nn.Module, args: tuple, kwargs: dict) -> str:
    """Runs ``model`` once more and says which layer is the first whose output is not finite.

    Returns:
        a line: the layer's path, its class, and what of it was finite: its input, its parameters.
    """
    if not finite([args, kwargs]):
        return "the input of the model is not finite"
    found: list[str] = []

    def look(name: str, layer: nn.Module, inputs: tuple, output: Any) -> None:
        if not found and not finite(output):
            bad = [key for key, value in layer.named_parameters() if not finite(value)]
            what = f"its {bad[0]} is not finite" if bad else "its parameters are finite"
            whence = "its input is finite" if finite(inputs) else "its input is not finite"
            found.append(f"{name} ({type(layer).__name__}): {whence}, {what}")

    with _watching(model, look), torch.no_grad():
        model.forward(*args, **kwargs)
    return f"the first layer with such an output is {found[0]}" if found else (
        "the output of every layer is finite when run again: the loss itself makes it"
    )  # fmt: skip


@contextmanager
def _watching(model: nn.Module, look: Any) -> Iterator[None]:
    handles = [
        layer.register_forward_hook(
            lambda layer, inputs, output, name=name: look(name, layer, inputs, output)
        )
        for name, layer in model.named_modules()
        if name
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@HOOKS.register_module()
class FiniteHook(Hook):
    """Ends the run when the loss is NaN or infinite, before anything is learnt from it.

    The batch is run once more to name the first layer whose output is not finite; otherwise this
    costs a comparison an iteration. A gradient that is not finite shows in the next loss. A
    checkpoint with a parameter or a state of the optimizer that is not finite, or a buffer that has
    a NaN, is not written: the one before stays.

    Raises:
        RunError: naming the iteration, the loss, the layer and the last checkpoint.
    """

    def before_train(self, runner: Runner) -> None:
        """Watches the losses that the model returns."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model

        def check(module: nn.Module, args: tuple, kwargs: dict, output: Any) -> None:
            if not (module.training and isinstance(output, dict)) or finite(output):
                return
            bad = ", ".join(
                f"{name}={float(value.sum())}"
                for name, value in output.items()
                if isinstance(value, Tensor) and not finite(value)
            )
            self.handle.remove()
            where = first_bad_layer(module, args, kwargs)
            raise RunError(f"iteration {runner.iter + 1}: {bad or 'the loss is not finite'}; "
                           f"{where}. {standing(runner)}")  # fmt: skip

        self.handle = model.register_forward_hook(check, with_kwargs=True)

    def after_train(self, runner: Runner) -> None:
        """Watches no more."""
        self.handle.remove()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuses weights, or a state of the optimizer, that are not finite."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        bad = [name for name, value in model.named_parameters() if not finite(value)]
        bad += [name for name, value in model.named_buffers() if value.isnan().any()]
        faults = []
        if bad:
            faults.append(f"{len(bad)} tensors of the model are not finite, {', '.join(bad[:3])} "
                          "among them")  # fmt: skip
        if not finite(checkpoint.get("optimizer")):
            faults.append("the optimizer's state is not finite")
        if faults:
            raise RunError(
                f"iteration {checkpoint['meta']['iter']}: {'; '.join(faults)}; no checkpoint is "
                f"written. {standing(runner)}"
            )
