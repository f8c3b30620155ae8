"""Trains with and without a block where only a block can see far enough; a minute or so each.

python tools/demo.py [--blocks snl] [--pairs 1] [--work-dir runs/demo]

It is tools/compare.py on the synthetic set with one seed.
"""

import argparse
import sys
from pathlib import Path

from nonlocal_zoo.experiments.compare.command import main as compare

CONFIGS = Path(__file__).parents[1] / "configs" / "synthetic"
FILES = {1: "compare_longrange.py", 2: "compare_longrange-pairs2.py"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", nargs="+", default=["snl"], help="as for tools/compare.py")
    parser.add_argument("--pairs", type=int, choices=FILES, default=1, help="cues in a picture")
    parser.add_argument("--work-dir", type=Path, help="default: runs/demo, or runs/demo-pairs2")
    args = parser.parse_args()
    work_dir = args.work_dir or Path("runs", "demo" if args.pairs == 1 else "demo-pairs2")
    print("The class of a region is the colour of a cue beyond the receptive field: without a "
          "block a network can only guess, 25 %")  # fmt: skip
    status = compare([str(CONFIGS / FILES[args.pairs]), "--blocks", *args.blocks, "--seeds", "1",
                      "--work-dir", str(work_dir)])  # fmt: skip
    print(f"pictures: {work_dir / 'predictions.png'}, {work_dir / 'affinities.png'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
