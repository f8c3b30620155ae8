"""One case: the answer checked, then time and memory of the block and its peers."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn
from torch.utils.benchmark.utils.common import set_torch_threads

from ...blocks.cost import BlockCost, block_cost
from ...formulas import NoFormula
from .bounds import NEAR, fractions, in_words, shares
from .cases import Case
from .check import allowed, check, relative
from .contenders import contenders
from .device import device
from .machine import Roofs, roofs
from .memory import measure as measure_memory
from .peers import Contender
from .rows import NAN, OK, WRONG, Row
from .timing import one_pass, spread, times


@dataclass(frozen=True)
class Options:
    """How to measure.

    Attributes:
        paths: official repositories, {"snl": folder, ...}.
        compile: measure each contender under torch.compile too.
        rounds: at most, for each case.
        time_limit: seconds for the rounds of a case. A block that would need as much for one pass
            is run once, in the process that measures its memory.
        memory: whether peak memory is measured, which takes a process for each contender.
        memory_limit: bytes; peers that need more are not run. None: four fifths of what is free.
    """

    paths: Mapping[str, str] = field(default_factory=dict)
    compile: bool = False
    rounds: int = 30
    time_limit: float = 20.0
    memory: bool = True
    memory_limit: int | None = None


def measure_case(case: Case, options: Options) -> list[Row]:
    """Rows of the block and of each of its peers; of a wrong block one row, without a time."""
    with set_torch_threads(case.threads):
        return _measure(case, options)


def _measure(case: Case, options: Options) -> list[Row]:
    block = case.build()
    cost = block_cost(block, case.shape, case.training)
    checked, error = "no formula", NAN
    try:
        error, checked, wrong = check(case, block)
    except NoFormula:
        wrong = ""
    first = Row.of(case, "block", f"{WRONG}: {wrong}" if wrong else OK)
    first.checked_at, first.error = checked, error
    first.parameters, first.multiply_adds, first.bytes = cost
    if wrong:
        return [first]
    limit = options.memory_limit or int(0.8 * device(case.device).free_bytes())
    rows, running = [], []
    for name, found, why in contenders(case, block, options.paths, options.compile, limit):
        row = first if name == "block" else Row.of(case, name, why or OK)
        rows.append(row)
        if found is not None:
            running.append((row, found))
    roof = roofs(case.device, case.dtype, case.threads)
    first.gemm_roof, first.copy_roof = roof
    if cost.multiply_adds / roof.gemm < options.time_limit:
        _time(case, block, running, options)
    if options.memory:
        patience = 60 + 20 * options.time_limit + 10 * cost.multiply_adds / roof.gemm
        for row, found in running:
            _memory(row, found, case, options, patience)
    _bound(first, cost, roof, running[0][1], case, options)
    return rows


def _time(
    case: Case, block: nn.Module, running: list[tuple[Row, Contender]], options: Options
) -> None:
    """Times of all that give the block's answer, in turns, and their ratios to the block's."""
    x = case.input()
    state = copy.deepcopy(block.state_dict())
    right, answer, single = [], None, []
    for row, found in running:
        block.load_state_dict(state)  # some blocks move their statistics with each pass
        function = one_pass(found, case, x)
        try:
            start = time.perf_counter()
            y = function()
            device(case.device).synchronize()
            single.append(time.perf_counter() - start)
        except (RuntimeError, NotImplementedError) as error:
            row.status = f"fails: {str(error).strip().splitlines()[0][:100]}"
            continue
        answer = y if answer is None else answer
        if found.name != "block":
            row.error = relative(y, answer)
            if row.error > allowed(case.dtype):
                row.status = f"{WRONG}: differs from the block by {row.error:.1g}"
                continue
        right.append((row, function))
    if not right or right[0][0].contender != "block":
        return
    measured = times([f for _, f in right], case, options.rounds, options.time_limit)
    for (row, _), turns in zip(right, measured, strict=True):
        row.seconds, row.seconds_low, row.seconds_high = spread([t.seconds for t in turns])
        row.rounds, row.mapped = len(turns), spread([t.mapped for t in turns]).median
        ratios = [a.seconds / b.seconds for a, b in zip(turns, measured[0], strict=True)]
        row.ratio, row.ratio_low, row.ratio_high = spread(ratios)


def _memory(row: Row, found: Contender, case: Case, options: Options, patience: float) -> None:
    if row.status != OK:
        return
    try:
        took = measure_memory(case, found.name, options.paths, patience)
    except (RuntimeError, TimeoutError) as error:
        row.status = f"fails: {error}"
        return
    row.peak, row.resident = took.peak
    if not row.rounds:
        row.seconds, row.rounds = took.seconds, 1


def _bound(
    row: Row, cost: BlockCost, roof: Roofs, found: Contender, case: Case, options: Options
) -> None:
    """How near the block is to the roofs, and where its time goes if it is not near."""
    if row.status != OK or not row.rounds:
        return
    near = fractions(cost, row.seconds, roof)
    row.gemm_fraction, row.copy_fraction, row.bound = near.gemm, near.copy, near.bound
    if near.best < NEAR and row.seconds < options.time_limit / 3:
        row.time_in = in_words(shares(one_pass(found, case, case.input())))
