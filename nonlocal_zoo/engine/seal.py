"""Checkpoints that carry a hash of their content, and are loaded only where it is right."""

import mmap
import os
import pickle
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from mmengine.runner import CheckpointLoader

from .errors import CheckpointError, ConfigError

MARK = b"sha256:"
LENGTH = len(MARK) + 64  # of the seal
END = b"PK\5\6"  # a zip file's last 22 bytes begin so, and end with the length of a comment
ENDING = 22
UNSAFE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


def seal(content: bytes) -> bytes:
    """``content``, as torch.save made it, with its SHA-256 as the comment of the zip file.

    So the hash cannot be parted from the file, and torch.load opens it as before.

    Raises:
        ValueError: it is no zip file without a comment.
    """
    if not _bare(content):
        raise ValueError("content is no zip file without a comment, as torch.save writes it")
    mark = MARK + sha256(content).hexdigest().encode()
    return content[:-2] + len(mark).to_bytes(2, "little") + mark


def damage(path: str | os.PathLike) -> str | None:
    """What is wrong with the bytes of a checkpoint; None: nothing.

    A sealed file is compared with its SHA-256. One by other programs is compared with the CRC-32
    that zip files have of each part; files of torch < 1.6 are no zip files and have neither: None.
    """
    if os.path.getsize(path) == 0:
        return "it is empty"
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[-LENGTH:].startswith(MARK):
            with memoryview(data) as view, view[: -LENGTH - 2] as content:
                hashed = sha256(content)
            hashed.update(b"\0\0")  # the comment's length, before there was one
            right = data[-LENGTH - 2 : -LENGTH] == LENGTH.to_bytes(2, "little")
            right &= data[-LENGTH:] == MARK + hashed.hexdigest().encode()
            return None if right else "its content does not have the SHA-256 that it had"
        if data[:2] != b"PK":
            return None if data[:1] == b"\x80" else "it is no file that torch.save writes"
        if not _bare(data):
            return "its end is missing"
    try:
        with zipfile.ZipFile(path) as archive:
            wrong = archive.testzip()
    except Exception as error:  # zipfile has no common one for what a damaged directory leads to
        return f"{error}"
    return wrong and f"{wrong} in it does not have the CRC-32 that it had"


def _bare(data: bytes | mmap.mmap) -> bool:
    return data[-ENDING:].startswith(END) and data[-2:] == b"\0\0"


@CheckpointLoader.register_scheme(prefixes="", force=True)
def load_from_disk(filename: str, map_location: Any = None) -> Any:
    """mmengine's loader of local files: whole ones, with tensors and plain values only.

    In the place of mmengine's own, which looks at no hash and leaves it to the environment
    whether objects in the file are made.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it is damaged, or holds other objects.
    """
    path = Path(filename).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"checkpoint={filename!r}: no such file")
    if reason := damage(path):
        raise CheckpointError(f"checkpoint={filename!r} is damaged: {reason}")
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, *_MALFORMED) as error:
        reason = (str(error).splitlines() or [repr(error)])[0]
        raise CheckpointError(
            f"checkpoint={filename!r} cannot be loaded: it is damaged, or holds other objects than "
            f"tensors and plain values, which could run code ({reason})"
        ) from error


# What torch's unpickler lets through from a stream that no pickler wrote.
_MALFORMED = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


def load_plain(path: str) -> dict:
    """What is in a checkpoint, by path or address, on the CPU.

    Raises:
        FileNotFoundError, CheckpointError: see ``load_from_disk``.
        ConfigError: the environment says that objects in files are to be made.
    """
    if os.environ.get(UNSAFE, "").lower() in ("1", "y", "yes", "true"):
        raise ConfigError(f"{UNSAFE} is set: files could run code. Nothing here needs it; unset it")
    checkpoint = CheckpointLoader.load_checkpoint(path, map_location="cpu")
    if not isinstance(checkpoint, dict):
        raise CheckpointError(
            f"checkpoint={path!r} holds a {type(checkpoint).__name__}; allowed: a dict"
        )
    return checkpoint


def first_whole(paths: list[Path]) -> Path:
    """The first of these files that is not damaged; the ones before it are printed, with reasons.

    Raises:
        CheckpointError: all are.
    """
    reasons = []
    for path in paths:
        reason = damage(path)
        if reason is None:
            for line in reasons:  # there is no logger before there is a Runner
                print(f"{line}; going on from {path.name}")
            return path
        reasons.append(f"checkpoint={str(path)!r} is damaged: {reason}")
    raise CheckpointError(f"{'; '.join(reasons)}; there is no other to go on from")
