"""Peak memory of one pass, measured in a process of its own."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import NamedTuple

from torch.utils.benchmark.utils.common import set_torch_threads

from .cases import Case
from .contenders import contender
from .device import Peak, device
from .timing import one_pass

TINY = 8  # side of the grid of a first pass, which loads libraries and starts threads


class Took(NamedTuple):
    """Memory and time of one pass in a fresh process."""

    peak: Peak
    seconds: float


def peak(function: Callable[[], object], device_name: str = "cpu") -> Peak:
    """Of a call in this process. What it returns is dropped."""
    gc.collect()  # or garbage from before makes room while it runs
    with device(device_name) as measured:
        function()
    return measured.peak


def measure(case: Case, name: str, paths: Mapping[str, str], seconds: float) -> Took:
    """Of one pass of the contender ``name``, in a fresh process.

    Raises:
        RuntimeError: it did not end well, with its last words.
        TimeoutError: it took longer than ``seconds``.
    """
    told = json.dumps([asdict(case), name, dict(paths)])
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__], input=told, text=True, capture_output=True,
            timeout=seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"no peak after {seconds:.0f} s") from None
    if done.returncode:
        words = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise RuntimeError(words[-1])
    memory, taken = json.loads(done.stdout.splitlines()[-1])
    return Took(Peak(*memory), taken)


def main() -> None:
    """The child: reads what to run, prints what it took."""
    case, name, paths = json.loads(sys.stdin.read())
    case = Case(**{**case, "grid": tuple(case["grid"]), "peers": tuple(case["peers"])})
    block = case.build()
    running = contender(name, case, block, paths)
    tiny = case.at(grid=tuple(min(n, TINY) for n in case.grid))
    with set_torch_threads(case.threads):
        one_pass(running, tiny, tiny.input())()
        x = case.input()
        start = time.perf_counter()
        found = peak(one_pass(running, case, x), case.device)
        seconds = time.perf_counter() - start
    print(json.dumps([found, seconds]))


if __name__ == "__main__":
    main()
