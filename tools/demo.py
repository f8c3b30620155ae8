"""Trains with and without a block where only a block can see far enough; one or two minutes each.

python tools/demo.py [--blocks none snl] [--pairs 1] [--work-dir runs/demo]
"""

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from nonlocal_zoo.experiments import longrange, longrange_report

CONFIGS = Path(__file__).parents[1] / "configs" / "synthetic"
PICTURES = [0, 1, 2, 3, 5, 10, 15, 16]  # one scene in its four colourings, then other scenes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", nargs="+", default=["none", "snl"], help="block names, or none")
    parser.add_argument("--pairs", type=int, choices=(1, 2), default=1, help="cues in a picture")
    parser.add_argument("--work-dir", type=Path, default=Path("runs/demo"))
    args = parser.parse_args()
    try:
        configs = {
            block: longrange.config_file(CONFIGS, block, args.pairs) for block in args.blocks
        }
    except ValueError as error:
        parser.error(str(error))

    picture = args.work_dir / "demo.png"
    picture.unlink(missing_ok=True)  # one that is there at the end is of this run
    with Progress() as progress:
        outcomes = [
            longrange.run(config, block, args.work_dir / block, PICTURES, progress)
            for block, config in configs.items()
        ]
    longrange_report.sheet(outcomes, seed=0, pairs=args.pairs, path=picture)
    Console().print(longrange_report.table(outcomes))
    print(f"pictures: {picture}")


if __name__ == "__main__":
    main()
