"""What the skeleton is put together from, checked."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from ..affinities import Affinity
from ..filters import GraphFilter
from ..layers import ModuleList
from ..operators import require
from ..registry import AFFINITIES, FILTERS, parameters_of
from .needs import setting_that_helps

LEAST_UNIT_WIDTH = 4  # of a unit embedding that somebody asks for
Config = str | dict[str, Any]
_ANY = inspect.Parameter("channels", inspect.Parameter.KEYWORD_ONLY, default=None)


def check_start(
    zero_init: bool, activation: str | None, residual: bool, residual_scale: bool
) -> None:
    """Raises ValueError for a start that training cannot leave, or that means nothing."""
    if zero_init and activation:
        raise ValueError(
            f"zero_init=True with activation={activation!r} never leaves zero (the gradient "
            "of relu at 0 is 0); allowed: residual_scale=True"
        )
    if residual_scale and not residual:
        raise ValueError(
            "residual_scale=True scales the branch beside a residual, and residual=False has none; "
            "allowed: residual_scale=False, or residual=True"
        )


def inner_width(channels: int, reduction: int, inner: int | None, least: int | None) -> int:
    """c: ``inner``, or C // reduction, but not under ``least`` or C, whichever is smaller."""
    return inner or max(channels // reduction, min(least or 1, channels))


def check_unit_width(
    inner: int, in_channels: int | None, reduction: int, asked: int | None, least: int | None
) -> None:
    """Raises ValueError for a unit embedding of so few channels that little but signs is left.

    Args:
        inner: c.
        in_channels, reduction, asked, least: arguments of the block that c follows from.
    """
    allowed = min(LEAST_UNIT_WIDTH, least or LEAST_UNIT_WIDTH, in_channels or 1)
    if inner < allowed:
        field = f"reduction={reduction}" if asked is None else f"inner_channels={asked}"
        raise ValueError(
            f"{field}: the embedding has {inner} of in_channels={in_channels} channels and unit "
            "length, and of one channel nothing but its sign is left; allowed: "
            f"inner_channels >= {allowed}, or least_inner_channels={inner} for published weights"
        )


def widthless(settings: Mapping[str, Any]) -> bool:
    """Whether no part of a block with these settings has a weight for each channel."""
    affinities = [parameters_of(AFFINITIES.get(_name(a))) for a in _as_list(settings["affinity"])]
    filters = [parameters_of(FILTERS.get(_name(g))) for g in _as_list(settings["graph_filter"])]
    weighted = any(p.get("channels", _ANY).default is _ANY.empty for p in affinities)
    weighted |= any("bias" in p for p in filters)
    return not (weighted or settings["values"] or settings["embedding"] or settings["norm"])


def build_affinities(
    affinity: Config | Sequence[Config],
    kernels: int,
    channels: int | None,
    inner: int,
    bias: bool,
    subsample: bool,
) -> ModuleList[Affinity]:
    """One affinity, or each of a list; ``kernels`` times.

    Raises:
        ValueError: ``subsample`` with an affinity that cannot.
    """
    configs = _as_list(affinity)
    if subsample:
        able = [n for n in AFFINITIES.names() if "subsample" in parameters_of(AFFINITIES.get(n))]
        for config in configs:
            if _name(config) not in able:
                raise ValueError(
                    f"affinity {_name(config)!r} takes no subsample=True; allowed: {able}"
                )
    return ModuleList(
        AFFINITIES.build(
            config, channels=channels, inner_channels=inner, bias=bias, subsample=subsample
        )
        for config in configs * kernels
    )


def check_width(affinities: Sequence[Affinity], width: int | None) -> None:
    """Raises ValueError for an affinity over channels whose features have others."""
    for affinity in affinities:
        if affinity.width not in (None, width):
            raise ValueError(
                f"affinity: {type(affinity).__name__} acts on the {affinity.width} channels that "
                f"it was computed from, and the values have {width}; allowed: values=False for "
                "those of the input, values=True for inner_channels"
            )


def check_needs(
    affinities: Sequence[Affinity], filters: Sequence[GraphFilter], gate: GraphFilter | None
) -> None:
    """Raises ValueError for a filter that needs what its affinity does not promise.

    What a pair needs is decided here, and not by the first picture: it never depends on a size.
    """
    pairs = list(zip(affinities, filters, strict=True))
    for affinity, graph_filter in pairs if gate is None else [*pairs, (affinities[0], gate)]:
        needs = (*graph_filter.needs, *(["low_rank"] if graph_filter.needs_spectrum else []))
        who = type(affinity).__name__
        try:
            require(affinity.structure, needs, graph_filter.label, who)
        except ValueError as error:
            setting = setting_that_helps(affinity, needs) or "no setting"
            raise ValueError(f"{error}. With {who}: {setting} helps") from None


def width_for(what: str, in_channels: int | None) -> int:
    """``in_channels``, of which ``what`` has a weight for each.

    Raises:
        ValueError: None.
    """
    if in_channels is None:
        raise ValueError(
            f"in_channels=None with {what}, which has a weight for each channel; allowed: a "
            "number, or embedding=None and values=False"
        )
    return in_channels


def one_for_each(config: Config | Sequence[Config], affinities: Sequence) -> list[Config]:
    """Filter configs, one for each affinity.

    Raises:
        ValueError: a list of another length.
    """
    configs = _as_list(config)
    if isinstance(config, (str, dict)):
        configs = configs * len(affinities)
    if len(configs) != len(affinities):
        raise ValueError(
            f"graph_filter has {len(configs)} entries; allowed: one, or one for each of the "
            f"{len(affinities)} affinities in affinity"
        )
    return configs


def _as_list(config: Config | Sequence[Config]) -> list[Config]:
    return [config] if isinstance(config, (str, dict)) else list(config)


def _name(config: Config) -> Any:
    return config if isinstance(config, str) else config.get("type")
