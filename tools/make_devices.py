"""Writes docs/devices.md: python tools/make_devices.py [--check]

Which of torch's attention kernels a GPU takes for each block, by the rule of torch's selection: see
tests/support/gpu_stand_in.py.
"""

import sys
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import torch  # noqa: E402
from gpu_stand_in import pass_of  # noqa: E402

from nonlocal_zoo import list_blocks  # noqa: E402
from nonlocal_zoo.experiments.pages import write_or_check  # noqa: E402
from nonlocal_zoo.tables import to_markdown  # noqa: E402

PAGE = ROOT / "docs" / "devices.md"
SIDE = 97
COLUMNS = [(c, dtype) for c in (64, 512) for dtype in (torch.float32, torch.float16)]
HEADER = f"""# On a GPU

No block forms an N x N matrix there, whatever its width and dtype. Softmax affinities take torch's
`scaled_dot_product_attention`, which streams only for some inputs and forms N x N for the others
without a word. So widths are padded to multiples of 8, torch is asked whether one of its streaming
kernels takes the result on this card, and where none does (float64, bfloat16 on cards older than
Ampere, a kernel that you have switched off) the queries go in blocks. Of float64 a graph of
torch.compile alone forms N x N.

- *flash*: float16 and bfloat16, queries and values equally wide (after padding), at most 256.
- *memory-efficient*: float32 too, and any two widths; also where nodes are padded, and for what
  keeps a bias among the keys (`mixture`, and symmetrised or degree-normalised softmax affinities).

The table has what torch's rule of selection (compute capability 8.0 and newer) says of each call
in a training step at {SIDE} x {SIDE}. Nothing here was run on a GPU: `tests/blocks/test_gpu.py`
runs every block on tensors that say they are on one, and at 97 x 97 and 500 x 500 without numbers.
It holds that no tensor is on another device, that nothing is copied from the host, that the host
waits for nothing, and that nothing is as large as N x N.

The host waits for the device in `NodeBlock` twice a step (how many graphs there are, and how long),
and in training mode once for each batch norm where graphs are padded; in the affinity "knn" and in
"graph" with padding; and in the filters that iterate until they are right (arma, cayley, heat over
operators that are not of low rank), once, or every eighth step.

Under autocast a softmax takes averages in the dtype of its values: they stay in the range of
float16. Other sums over nodes (degrees, dot products, log-sum-exps) are taken in float32 then.
`danet`, `cc` and `nl_gaussian` average the features themselves, which autocast leaves in float32.

Second derivatives of softmax affinities exist on a CPU alone: torch's kernels for CUDA have none.

"""


def kernels(name: str, channels: int, dtype: torch.dtype) -> str:
    """Of all its calls of attention, in their order."""
    calls = pass_of(name, dtype, channels, SIDE).attention
    runs = [(kernel, len(list(same))) for kernel, same in groupby(calls)]
    return ", ".join(kernel if n == 1 else f"{n} x {kernel}" for kernel, n in runs)


def page() -> str:
    """The whole page."""
    heads = [f"C = {c}, {'float32' if d == torch.float32 else 'half'}" for c, d in COLUMNS]
    rows = [(name, *(kernels(name, c, d) for c, d in COLUMNS)) for name in list_blocks()]
    with_attention = [row for row in rows if any(row[1:])]
    others = ", ".join(row[0] for row in rows if not any(row[1:]))
    table = to_markdown(("block", *heads), with_attention)
    rest = f"No attention, but thin products or sums over sorted or listed nodes: {others}."
    return f"{HEADER}{table}\n\n{rest}\n"


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, page, __file__, __doc__))
