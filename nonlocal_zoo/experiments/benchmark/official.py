"""Classes of the authors' repositories, from a copy of yours: nothing of theirs is in here."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from torch import nn

from .cases import Case
from .classes import Published, inner
from .peers import PEERS, Contender, NoPeer, NoSuchPeer


class Repository(NamedTuple):
    """Where its packages lie, and what they import that was never released: module -> names."""

    folder: str
    unreleased: Mapping[str, Sequence[str]]


REPOSITORIES = {
    "latentgnn": Repository("", {}),
    "snl": Repository(
        "SNL-Classification",
        {"model.nls.arma": ["ARMAUnit"], "model.nls.direct": ["DirectNLUnit"]},
    ),
}


def _stage(nl_type: str, case: Case) -> dict[str, Any]:
    return dict(inplanes=case.channels, planes=inner(case), nl_type=nl_type,
                stage_num=case.settings.get("stages", 1))  # fmt: skip


def _latent(mode: str, case: Case) -> dict[str, Any]:
    dims = [case.settings["affinity"]["dim"]] * case.settings.get("kernels", 1)
    return dict(in_channels=case.channels, latent_dims=dims, num_kernels=len(dims), mode=mode,
                channel_stride=case.channels // inner(case))  # fmt: skip


def _snl(nl_type: str) -> tuple[str, Published]:
    return "snl", Published("Stage", "model.nls.basic", partial(_stage, nl_type))


def _latentgnn(mode: str) -> tuple[str, Published]:
    return "latentgnn", Published("LatentGNNV1", "lib.latentgnn_v1", partial(_latent, mode))


# SNL-MMSeg's SNLStage is not among them: `att += att.permute(0, 2, 1)` raises on today's torch.
OFFICIAL = {
    "snl": _snl("snl"),
    "ns": _snl("ns"),
    "a2_relu": _snl("a2"),
    "latentgnn": _latentgnn("asymmetric"),
    "latentgnn_shared": _latentgnn("symmetric"),
    "latentgnn_3": _latentgnn("asymmetric"),
}


@PEERS.register("official")
def official(case: Case, block: nn.Module, paths: Mapping[str, str]) -> Contender:
    """The authors' class with the block's weights; ``paths`` are {"snl": its folder, ...}."""
    if case.block not in OFFICIAL:
        raise NoSuchPeer("no official class that runs and is its equal")
    repository, published = OFFICIAL[case.block]
    if repository not in paths:
        raise NoPeer(f"needs --official {repository}=PATH")
    find = partial(_import, REPOSITORIES[repository], paths[repository])
    return published.contender("official", find, case, block)


def _import(repository: Repository, path: str, name: str) -> ModuleType:
    """A module of a repository, which is then forgotten: its packages are "lib" and "model"."""
    folder = Path(path) / repository.folder
    before = set(sys.modules)
    for missing, names in repository.unreleased.items():
        stand_in = ModuleType(missing)
        for attribute in names:
            setattr(stand_in, attribute, None)
        sys.modules[missing] = stand_in
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise NoPeer(f"{folder}: {error}") from None
    finally:
        sys.path.remove(str(folder))
        tops = {part.partition(".")[0] for part in (name, *repository.unreleased)}
        for module in set(sys.modules) - before:
            if module.partition(".")[0] in tops:
                del sys.modules[module]
