"""What becomes of each block outside of Python: three checks, and the table of what they refuse.

docs/deployment.md is written from this file, and tests/blocks/test_deployment.py holds it to it:
what is not in REFUSED works, and what is in it fails for the reason that it gives.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial

import torch
from tables import BLOCK_OVERRIDES, SMALL_LATENT
from torch import Tensor, nn

from nonlocal_zoo import build_block, list_blocks
from nonlocal_zoo.testing.compare import assert_near, randomize_

CHANNELS = 16
TRACED = (2, CHANNELS, 6, 5)  # what is traced,
OTHERS = ((3, CHANNELS, 7, 9), (2, CHANNELS, 12, 4))  # and what the same graph must run on
SNL = {"type": "relu_dot", "symmetrize": True, "normalize": "sym"}
FILTERS = (  # those that are more than sums of A^k
    {"type": "heat"},
    {"type": "spectral", "knots": 4},
)


def _build(name: str | None, **overrides) -> nn.Module:
    return randomize_(build_block(name, CHANNELS, inner_channels=8, **overrides), spread=0.3)


SMALLER = {  # two kernels trace as three do, and faster
    "latentgnn_3": {"affinity": {"dim": 5}, "kernels": 2},
    "latentgnn_mixture": {"affinity": {"kernels": SMALL_LATENT, "copies": 2}},
}
CASES: dict[str, Callable[[], nn.Module]] = {
    name: partial(_build, name, **{**BLOCK_OVERRIDES, **SMALLER}.get(name, {}))
    for name in list_blocks()
} | {f"snl with {g['type']}": partial(_build, None, affinity=SNL, graph_filter=g) for g in FILTERS}


def _results(block: nn.Module, x: Tensor) -> list[Tensor]:
    """Output, gradients and buffers."""
    x.requires_grad_()
    y = block(x)
    inputs = [x, *block.parameters()]
    gradients = torch.autograd.grad(y.square().sum(), inputs, allow_unused=True)
    return [y, *(g for g in gradients if g is not None), *(b.clone() for b in block.buffers())]


def check_compile(
    make: Callable[[], nn.Module], backend: str = "aot_eager", tolerance: float = 1e-9
) -> None:
    """One graph without breaks for all heights and widths: output, gradients and buffers of eager.

    In training mode and float64.
    """
    block = make().double().train()
    start = [value.clone() for value in block.state_dict().values()]
    xs = [torch.randn(2, *shape[1:], dtype=torch.float64) for shape in (TRACED, *OTHERS)]
    eager = [_results(block, x) for x in xs]
    for value, before in zip(block.state_dict().values(), start, strict=True):
        value.copy_(before)
    torch.compiler.reset()
    compiled = torch.compile(block, fullgraph=True, backend=backend)
    for axis in (2, 3):  # less to trace than with dynamic=True, which also leaves the batch open
        torch._dynamo.mark_dynamic(xs[0], axis)
    for k, x in enumerate(xs):
        with torch._dynamo.config.patch(error_on_recompile=k > 0):
            results = _results(compiled, x)
        for i, (actual, wanted) in enumerate(zip(results, eager[k], strict=True)):
            assert_near(actual, wanted, tolerance, f"{tuple(x.shape)}, result {i}")


def dynamic_shapes() -> tuple[dict[int, object]]:
    """Batch, height and width of any size."""
    names = {0: "batch", 2: "height", 3: "width"}
    return ({axis: torch.export.Dim(name, min=2) for axis, name in names.items()},)


def check_export(make: Callable[[], nn.Module]) -> None:
    """The same graph for all sizes, in eval mode."""
    block = make().double().eval()
    example = torch.randn(TRACED, dtype=torch.float64)
    with torch.no_grad():
        program = torch.export.export(block, (example,), dynamic_shapes=dynamic_shapes())
    exported = program.module()
    for shape in OTHERS:
        x = torch.randn(shape, dtype=torch.float64)
        assert_near(exported(x), block(x), what=str(shape))


def check_onnx(make: Callable[[], nn.Module]) -> None:
    """The same file for all sizes, in eval mode and float32, run by onnxruntime."""
    import onnxruntime

    block = make().eval()
    with torch.no_grad():
        program = torch.onnx.export(
            block,
            (torch.randn(TRACED),),
            dynamic_shapes=dynamic_shapes(),
            dynamo=True,
            verbose=False,
        )
    file = io.BytesIO()
    program.save(file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(file.getvalue(), options)
    name = session.get_inputs()[0].name
    for shape in OTHERS:
        x = torch.randn(shape)
        (y,) = session.run(None, {name: x.numpy()})
        assert_near(torch.from_numpy(y), block(x), 1e-4, str(shape))


WAYS = {
    "torch.compile": check_compile,
    "its inductor": partial(check_compile, backend="inductor", tolerance=1e-8),
    "torch.export": check_export,
    "ONNX": check_onnx,
}
ONE_SIZE = "with dynamic=False alone: torch 2.13 keeps the first size's strides of a concatenation"
# (case, way): (what the error says, why)
REFUSED: dict[tuple[str, str], tuple[str, str]] = {
    ("nl_concat", "ONNX"): ("aten.searchsorted", "ONNX cannot search in sorted values"),
    ("snl_arma", "ONNX"): ("aten._linalg_solve_ex", "ONNX cannot solve linear systems"),
    ("snl_arma", "its inductor"): ("expected size", ONE_SIZE),
    ("snl_cayley", "its inductor"): ("expected size", ONE_SIZE),
    ("snl_cayley", "ONNX"): ("aten._linalg_solve_ex", "ONNX cannot solve linear systems"),
    ("snl with spectral", "ONNX"): ("aten.linalg_qr", "ONNX has no QR, nor eigenvalues"),
}


def prove(name: str, way: str) -> None:
    """Raises unless the cell is right: it works, or it is refused for the reason given."""
    if (name, way) not in REFUSED:
        WAYS[way](CASES[name])
        return
    word, _ = REFUSED[name, way]
    messages = []
    try:
        WAYS[way](CASES[name])
    except Exception as error:
        while error is not None:
            messages.append(str(error))
            error = error.__cause__
    assert any(word in m for m in messages), f"{name}, {way}: it works, or fails of {messages}"
