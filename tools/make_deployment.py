"""Writes docs/deployment.md: python tools/make_deployment.py [--check]

What works is what tests/support/deployment.py does not list as refused. Before it writes, this
proves every cell, which takes minutes and a C++ compiler; the tests prove those that are fast.
--check writes and proves nothing.
"""

import itertools
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import torch  # noqa: E402
from deployment import CASES, REFUSED, WAYS, prove  # noqa: E402

from nonlocal_zoo.experiments.pages import write_or_check  # noqa: E402
from nonlocal_zoo.tables import to_markdown  # noqa: E402

PAGE = ROOT / "docs" / "deployment.md"
HEADER = """# Outside of Python

One graph for all heights and widths from 2 on, traced at one size and compared with eager at two
others. A "no" has a proof as well: where it begins to work, the proof fails. `make test` proves
torch.compile (aot_eager) and torch.export of every block, every "no" of ONNX and some more.
`python tools/make_deployment.py` proves every cell and then writes this page.

torch 2.13's inductor gives wrong gradients in silence for some graphs: three that our blocks had
are in errata.md, and are written in another way here. `make test` compares every block with eager
at batch size 1, where two of them showed; `make trust` at four shapes, each with a graph of its
own and with one for any size. If you change a block, run these.

```python
import torch
import nonlocal_zoo as nlz

x = torch.randn(2, 64, 24, 32)
block = nlz.build_block("snl", in_channels=64)
compiled = torch.compile(block, fullgraph=True, dynamic=True)  # forward and backward

block.eval()
sizes = ({axis: torch.export.Dim(f"axis_{axis}", min=2) for axis in (0, 2, 3)},)
with torch.no_grad():
    program = torch.export.export(block, (x,), dynamic_shapes=sizes)
    # pip install 'nonlocal_zoo[onnx]'
    onnx = torch.onnx.export(block, (x,), dynamic_shapes=sizes, dynamo=True)
onnx.save("snl.onnx")
```

torch.compile: no graph break, no second graph for another size; output, gradients and buffers of
training mode, float64, to 1e-9; with the backend aot_eager, which runs torch's own kernels, and
with inductor, the default, which writes its own, to 1e-8. snl with spectral takes a graph for each
batch size.
torch.export: eval mode, float64, to 1e-9, the batch size open too. Programs of `nearest` and
`mixture` have operators of ours in them: import nonlocal_zoo to load them. ONNX: eval mode, float32
in onnxruntime, to 1e-4, the batch size open too; its runtime may form the N x N scores of a softmax
affinity, which nothing else here does.

What iterates until its numbers say that it may stop (the resolvent and the heat kernel of operators
that are not of low rank: arma, cayley and heat over softmax affinities) is in no graph: tracing it
raises NotImplementedError and says so.

`torch.jit.trace` takes every block as it comes, also in training mode. The older ONNX exporter
(`torch.onnx.export(..., dynamo=False, opset_version=17)`) takes all but `nl_concat`. `torch.fx`
cannot trace through checks of shapes; it takes a network with a block in it when the block is a
leaf:

```python
class Tracer(torch.fx.Tracer):
    def is_leaf_module(self, module, path):
        return isinstance(module, nlz.NonLocalBlock) or super().is_leaf_module(module, path)


network = torch.nn.Sequential(block, torch.nn.ReLU())
graph = torch.fx.GraphModule(network, Tracer().trace(network))
```

For inference, `nlz.fuse(block)` folds what can be folded before any of this. FSDP2 may shard a
block as a whole or layer by layer: every layer is called.

"""
TAIL = "\nsnl with heat, ...: snl's affinity with that filter.\n"


def cell(name: str, way: str) -> str:
    """yes, or why not."""
    return f"no: {REFUSED[name, way][1]}" if (name, way) in REFUSED else "yes"


def page() -> str:
    """The whole page."""
    rows = [(name, *(cell(name, way) for way in WAYS)) for name in CASES]
    return f"{HEADER}{to_markdown(('block', *WAYS), rows)}\n{TAIL}"


def prove_all() -> None:
    """Proves each cell, in fresh graphs and nothing of what another run left, maybe in pieces."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        for name, way in itertools.product(CASES, WAYS):
            print(f"{name}: {way}", flush=True)
            torch.manual_seed(0)
            prove(name, way)


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, page, __file__, __doc__, prove_all))
