"""A run whose numbers have gone bad ends, and says where they did."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor, nn

from .errors import RunError
from .standing import iteration, standing
from .values import finite, not_finite


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
            raise RunError(f"iteration {iteration(runner)}: {bad or 'the loss is not finite'}; "
                           f"{where}. {standing(runner)}")  # fmt: skip

        self.handle = model.register_forward_hook(check, with_kwargs=True)

    def after_train(self, runner: Runner) -> None:
        """Watches no more."""
        self.handle.remove()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuses weights, and states of the optimizer, that are not finite."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        bad = [name for name, value in model.named_parameters() if not finite(value)]
        bad += [name for name, value in model.named_buffers() if value.isnan().any()]
        whose = "the model"
        if not bad:
            bad = [*not_finite(checkpoint.get("optimizer"), "optimizer")]
            whose = "the optimizer's state"
        if bad:
            raise RunError(
                f"iteration {iteration(runner)}: {len(bad)} tensors of {whose} are not finite, "
                f"{', '.join(bad[:3])} among them; no checkpoint is written. {standing(runner)}"
            )
