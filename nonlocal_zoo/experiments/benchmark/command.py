"""Measures blocks beside their references, in one process, after checking their answers.

  python tools/benchmark.py snl nl --sizes 32x64 97x97 --peers dense installed --threads 2
  python tools/benchmark.py --preset speed --official latentgnn=PATH snl=PATH --threads 2 --out DIR
  python tools/benchmark.py "latent*" --sizes 500x500 --channels 64 --devices cuda \\
      --dtypes float32 bfloat16 --modes forward train --compile

Writes NAME.csv, NAME.md and NAME.png into DIR, whole after each case. A block whose answer is not
that of the formula gets no time, and the exit status is 1. See docs/benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence

from .cases import DTYPES, MODES, Case, grid_of, names_of, under
from .contenders import PEERS
from .device import DEVICES, device
from .measure import Options
from .presets import PRESETS, cases_of
from .run import run


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("blocks", nargs="*", metavar="PATTERN", help="shell patterns of names (default: all)")
    add("--preset", choices=PRESETS, help="its blocks (that match), sizes, channels and peers")
    add("--sizes", nargs="+", default=["97x97"], help="97x97 ... (default: %(default)s)")
    add("--channels", type=int, default=512, help="(default: %(default)s)")
    add("--reduction", type=int, help="of the inner channels (default: each block's own)")
    add("--batch", type=int, default=1, help="(default: %(default)s)")
    add("--peers", nargs="*", choices=PEERS.names(), help="(default: dense, or the preset's)")
    add("--dtypes", nargs="+", choices=DTYPES, default=["float32"])
    add("--devices", nargs="+", choices=DEVICES, default=["cpu"])
    add("--threads", nargs="+", type=int, default=[1], help="(default: 1)")
    add("--modes", nargs="+", choices=MODES, default=["forward"])
    add("--official", nargs="+", default=[], metavar="NAME=PATH", help="latentgnn, snl: clones")
    add("--compile", action="store_true", help="each under torch.compile too")
    add("--no-memory", action="store_true", help="times alone")
    add("--rounds", type=int, default=30, help="at most, for each case (default: %(default)s)")
    add("--time-limit", type=float, default=20.0, metavar="S", help="for the rounds of a case; a "
        "block that needs as much for one pass is run once (default: %(default)s)")  # fmt: skip
    add("--memory-limit", type=float, metavar="GB", help="for peers (default: 4/5 of what is free)")
    add("--out", default="runs/benchmark", metavar="DIR", help="(default: %(default)s)")
    add("--name", help="of the files (default: the preset's, or benchmark)")
    return parser


def cases_from(options: argparse.Namespace) -> list[Case]:
    """What the command line asks for.

    Raises:
        ValueError, LookupError: what it asks for is not there, by name.
    """
    for name in options.devices:
        device(name)
    names = names_of(options.blocks or ["*"])
    if options.preset:
        cases = [case for case in cases_of(options.preset) if case.block in names]
    else:
        overrides = {"reduction": options.reduction} if options.reduction else {}
        cases = [
            Case(name, options.channels, grid_of(size), options.batch, overrides)
            for name in names
            for size in options.sizes
        ]
    if options.peers is not None:
        cases = [case.at(peers=tuple(options.peers)) for case in cases]
    return list(
        under(cases, device=options.devices, dtype=options.dtypes, threads=options.threads,
              mode=options.modes)
    )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status: 1 where an answer was wrong."""
    parser = arguments()
    options = parser.parse_args(argv)
    try:
        cases = cases_from(options)
        wrong = [pair for pair in options.official if "=" not in pair]
        if wrong:
            raise ValueError(f"--official {wrong[0]}; allowed: NAME=PATH")
        limit = options.memory_limit
        settings = Options(
            paths=dict(pair.split("=", 1) for pair in options.official),
            compile=options.compile,
            rounds=options.rounds,
            time_limit=options.time_limit,
            memory=not options.no_memory,
            memory_limit=None if limit is None else int(limit * 1e9),
        )
    except (ValueError, LookupError, TypeError) as error:
        parser.error(str(error))
    name = options.name or options.preset or "benchmark"
    words = sys.argv[1:] if argv is None else argv
    command = shlex.join(["python", "tools/benchmark.py", *words])
    return run(cases, settings, options.out, name, command, lambda text: print(text, flush=True))
