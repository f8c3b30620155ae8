"""What is written down of one contender in one case."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, fields

import pandas as pd

from .cases import Case

NAN = float("nan")
OK = "ok"
WRONG = "wrong"  # how the status of a wrong answer begins


@dataclass
class Row:
    """Times in seconds, memory and traffic in bytes; nan where nothing was measured.

    ``mapped`` is what the system had to map anew in a pass, the median of the rounds.
    ``ratio`` is this contender's time over the block's, from rounds side by side. ``low`` and
    ``high`` are quartiles. Fractions are of the machine's roofs in the same run.
    """

    block: str
    contender: str
    settings: str
    batch: int
    channels: int
    size: str
    nodes: int
    dtype: str
    device: str
    threads: int
    mode: str
    status: str = OK
    checked_at: str = ""
    error: float = NAN
    parameters: int = 0
    multiply_adds: int = 0
    bytes: int = 0
    seconds: float = NAN
    seconds_low: float = NAN
    seconds_high: float = NAN
    rounds: int = 0
    mapped: float = NAN
    ratio: float = NAN
    ratio_low: float = NAN
    ratio_high: float = NAN
    gemm_roof: float = NAN
    copy_roof: float = NAN
    gemm_fraction: float = NAN
    copy_fraction: float = NAN
    bound: str = ""
    time_in: str = ""
    peak: float = NAN
    resident: float = NAN

    @classmethod
    def of(cls, case: Case, contender: str, status: str = OK) -> Row:
        """With what a case says of itself."""
        settings = ", ".join(f"{key}={value}" for key, value in case.overrides.items())
        return cls(
            case.block, contender, settings, case.batch, case.channels, case.size, case.nodes,
            case.dtype, case.device, case.threads, case.mode, status,
        )  # fmt: skip


def to_table(rows: list[Row]) -> pd.DataFrame:
    """One line a row; the columns are Row's fields."""
    return pd.DataFrame([asdict(row) for row in rows], columns=[f.name for f in fields(Row)])


def read_csv(path: str | os.PathLike) -> pd.DataFrame:
    """What ``to_table`` gave and ``atomic.write`` wrote."""
    texts = {f.name: str for f in fields(Row) if f.type == "str"}
    missing = {f.name: ["", "nan"] for f in fields(Row) if f.name not in texts}
    return pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=missing)
