"""Checkpoints that carry a hash of their content, and what is wrong with damaged ones."""

from __future__ import annotations

import mmap
import os
import zipfile
from hashlib import sha256

MARK = b"sha256:"
LENGTH = len(MARK) + 64  # of the seal
END = b"PK\5\6"  # a zip file's last 22 bytes begin so, and end with the length of a comment
ENDING = 22


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
