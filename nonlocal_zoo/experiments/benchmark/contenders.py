"""Who takes part in a case: the block, compiled if asked for, and its peers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import nn

from . import installed, official  # noqa: F401
from .cases import DTYPES, Case
from .need import least_bytes
from .peers import COMPILED, PEERS, Contender, NoPeer, NoSuchPeer, compiled, own
from .timing import one_pass

OWN = {"block": own, COMPILED: compiled}


def contender(name: str, case: Case, block: nn.Module, paths: Mapping[str, str]) -> Contender:
    """By name: the block or a peer.

    Raises:
        NoPeer: the block has no such peer.
        UnknownNameError: nothing has that name.
    """
    if name in OWN:
        return OWN[name](case, block)
    return PEERS.get(name)(case, block, paths)


def contenders(
    case: Case, block: nn.Module, paths: Mapping[str, str], compile_too: bool, limit: int
) -> Iterator[tuple[str, Contender | None, str]]:
    """(name, contender or None, why there is none), the block first.

    Args:
        limit: bytes; a peer that needs more is not run.
    """
    names = [*(OWN if compile_too else ["block"]), *case.peers]
    for name in names:
        try:
            found = contender(name, case, block, paths)
        except NoSuchPeer:
            continue
        except NoPeer as reason:
            yield name, None, str(reason)
            continue
        needed = needs(found, case)
        if needed > limit:
            yield name, None, f"needs {needed / 1e9:.1f} GB or more"
        else:
            yield name, found, ""


def needs(found: Contender, case: Case) -> int:
    """Bytes that a contender needs at least, 0 where it streams."""
    if found.on_meta is None:
        return 0
    x = torch.empty(
        case.shape, device="meta", dtype=DTYPES[case.dtype], requires_grad=case.training
    )
    return least_bytes(one_pass(Contender(found.name, found.on_meta(), ()), case, x))
