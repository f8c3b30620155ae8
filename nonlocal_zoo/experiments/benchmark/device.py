"""What differs between devices: waiting for them, and how much memory they used."""

from __future__ import annotations

import ctypes
import os
import resource
from pathlib import Path
from typing import NamedTuple

import torch

from ...registry import choose


class Peak(NamedTuple):
    """Bytes: what running added to what lay in memory before, and all that was in memory."""

    added: int
    resident: int


class Host:
    """The processor: it is done when a call returns; memory is the process's resident set."""

    @staticmethod
    def available() -> bool:
        return True

    @staticmethod
    def synchronize() -> None: ...

    @staticmethod
    def free_bytes() -> int:
        lines = Path("/proc/meminfo").read_text().splitlines()
        kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
        return 1024 * kilobytes["MemAvailable"]

    @staticmethod
    def mapped() -> int:
        """Bytes of pages that the system has given this process, since it began.

        Each takes a fault, which costs more than to write it.
        """
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt * resource.getpagesize()

    def __enter__(self) -> Host:
        _give_back()
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
        self._before = _status("VmRSS")
        return self

    def __exit__(self, *error: object) -> None:
        resident = _status("VmHWM")
        self.peak = Peak(max(resident - self._before, 0), resident)


class Cuda:
    """A CUDA device: calls return before it is done; memory is that of torch's allocator."""

    @staticmethod
    def available() -> bool:
        return torch.cuda.is_available()

    @staticmethod
    def synchronize() -> None:
        torch.cuda.synchronize()

    @staticmethod
    def free_bytes() -> int:
        return torch.cuda.mem_get_info()[0]

    @staticmethod
    def mapped() -> int:
        """Nothing: torch keeps what it has."""
        return 0

    def __enter__(self) -> Cuda:
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        self._before = torch.cuda.memory_allocated()
        return self

    def __exit__(self, *error: object) -> None:
        torch.cuda.synchronize()
        peak = torch.cuda.max_memory_allocated()
        self.peak = Peak(peak - self._before, peak)


DEVICES = {"cpu": Host, "cuda": Cuda}


def device(name: str) -> Host | Cuda:
    """The device of a name; ``with device(name) as d: ...; d.peak`` measures memory.

    Raises:
        UnknownNameError: no such kind of device.
        ValueError: it is not here.
    """
    found = DEVICES[choose("device", name, DEVICES)]()
    if not found.available():
        raise ValueError(f"device={name!r} is not available on this machine")
    return found


def _give_back() -> None:
    """What is freed but still resident, in which a call could live without adding anything.

    glibc keeps up to 64 MiB of it; other allocators are left as they are.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _status(field: str) -> int:
    for line in Path(f"/proc/{os.getpid()}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return 1024 * int(line.split()[1])
    raise OSError(f"/proc/self/status has no {field}: memory is measured on Linux only")
