"""Who takes part in a case: the block and its peers, and if asked for each compiled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import nn

from . import installed, official  # noqa: F401
from .cases import DTYPES, Case
from .need import least_bytes
from .peers import COMPILED, PEERS, Contender, NoPeer, NoSuchPeer, compiled, own
from .timing import one_pass


def contender(name: str, case: Case, block: nn.Module, paths: Mapping[str, str]) -> Contender:
    """By name: the block or a peer, with COMPILED after it or without.

    Raises:
        NoPeer: the block has no such peer.
        UnknownNameError: nothing has that name.
    """
    plain = name.removesuffix(COMPILED)
    found = own(case, block) if plain == "block" else PEERS.get(plain)(case, block, paths)
    return found if plain == name else compiled(found, case)


def contenders(
    case: Case, block: nn.Module, paths: Mapping[str, str], compile_too: bool, limit: int
) -> Iterator[tuple[str, Contender | None, str]]:
    """(name, contender or None, why there is none), the block first.

    Args:
        compile_too: each under torch.compile too. What is compiled for earlier cases is forgotten:
            all modules share nn.Module's code, which dynamo compiles a few times and then no more.
        limit: bytes; a peer that needs more is not run.
    """
    if compile_too:
        torch.compiler.reset()
    for name in ["block", *case.peers]:
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
            continue
        for each in [found, compiled(found, case)] if compile_too else [found]:
            yield each.name, each, ""


def needs(found: Contender, case: Case) -> int:
    """Bytes that a contender needs at least, 0 where it streams."""
    if found.on_meta is None:
        return 0
    x = torch.empty(
        case.shape, device="meta", dtype=DTYPES[case.dtype], requires_grad=case.training
    )
    return least_bytes(one_pass(Contender(found.name, found.on_meta(), ()), case, x))
