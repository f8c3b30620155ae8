"""Writes docs/hosts.md: python tools/make_hosts.py [--check]

What an insertion does in networks that know of no blocks: see tests/support/hosts.py. Rows of a
package that is not installed stay as they are.
"""

import logging
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from hosts import COLUMNS, HOSTS, has, try_host  # noqa: E402

from nonlocal_zoo.experiments.pages import write_or_check  # noqa: E402
from nonlocal_zoo.tables import to_markdown  # noqa: E402

PAGE = ROOT / "docs" / "hosts.md"
HEADER = """# In networks that know of no blocks

```python
block = nlz.insert_block(network, "layer3", "snl")  # after the module of that path
nlz.inserted_blocks(network)  # {"layer3.5.nonlocal_end": block}
nlz.remove_block(network, block)  # the network is what it was
```

The block is a child of the module that it follows, and a hook calls it there. Keys of the state
dict keep their names, so that pretrained weights load with `strict=False`; copies run their own
block. Where the module is a sequence or a list, this is its last item.

*The width* is seen by running the network up to the module, in eval mode, on zeros of two sizes:
the axis that has the same length both times is that of the channels. So tokens are not taken for
channels. A network that takes one size alone shows its channels by its biases and norms. Where
nothing shows them, the error asks for one of these:

| argument | for |
| --- | --- |
| `block=dict(name="snl", in_channels=256)` | a network that cannot be run so; it is asked nothing |
| `example=x`, or a tuple | a network with other arguments than one picture |
| `layout="channels_last"` | as many tokens as channels; tokens beside a given `in_channels` |
| `grid=(14, 14)`, or `(-1,)` for a sequence | tokens, for blocks that ask where a node is |
| `class_tokens=1` | tokens at the front that pass the block by |
| `output=2`, or a key | a module that gives several; `stage=""` is the network itself |

A network that runs through its own children in `forward`, and is none of torch's containers, would
run the block as one of them. A module of which only `weight` or `forward` is used is never called,
and is refused.

In a config of mmseg or mmdet the entries of `insert` are the same arguments:

```python
backbone = dict(
    type="WithBlocks", host="SwinTransformer",
    insert=[dict(stage="stages.2.blocks", block="snl")])
```

"""
BEFORE = """## What was tried

In each network the block "nl" was put in, after which the network gave the same numbers to the bit;
a backward pass reached all its weights; and it was taken out again, after which keys and modules
were those from before. "channels first" is (B, C, *spatial), "channels last" (B, *spatial, C), and
"tokens" (B, N, C).

"""


def page() -> str:
    """The whole page."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    known = {}
    for line in PAGE.read_text().splitlines() if PAGE.exists() else []:
        cells = tuple(cell.strip() for cell in line.strip("|").split("|"))
        if len(cells) == len(COLUMNS):
            known[cells[:2]] = cells
    rows = [
        try_host(host) if has(host.package) else known[host.name, host.package] for host in HOSTS
    ]
    return f"{HEADER}{BEFORE}{to_markdown(COLUMNS, rows)}\n"


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, page, __file__, __doc__))
