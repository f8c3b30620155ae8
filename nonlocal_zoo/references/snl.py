"""The official SNL code: SNL-MMSeg/snl_head.py and SNL-Classification/model/nls/basic.py."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..registry import REFERENCES, choose
from .base import Rule, Translation
from .change import NEGATED, Change

STAGES = {
    "nl": "nl",
    "ns": "ns",
    "snl": "snl",
    "a2": "a2_relu",
    "dnl": "dnl",
    "caylay": "snl_squared_laplacian",
}
_AS_PUBLISHED = dict(bias=False, norm="batch", activation="relu", zero_init=False, init="default")
_COMMON = (
    Rule("t.weight", "affinities.0.pair.theta.weight"),
    Rule("p.weight", "affinities.0.pair.phi.weight"),
    Rule("stages.{i}.g.weight", "units.{i}.values.weight"),
    Rule("stages.{i}.bn.{p}", "units.{i}.norm.{p}"),
)


def _weight(term: int) -> str:
    return f"units.{{i}}.filters.0.weights.{term}.weight"


@REFERENCES.register("SNLStage")
def snl_stage(
    inplanes: int,
    planes: int,
    stage_num: int = 5,
    use_scale: bool = False,
    relu: bool = False,
    aff_kernel: str = "dot",
) -> Translation:
    """``SNLStage`` of snl_head.py."""
    choose("use_scale", use_scale, [False])  # the official True reads a name that is not defined
    choose("aff_kernel", aff_kernel, ["dot"])
    settings = dict(
        name="snl",
        in_channels=inplanes,
        inner_channels=int(planes),
        stages=stage_num,
        activation="relu" if relu else None,
    )
    first = Rule("stages.{i}.w_1.weight", _weight(0))
    return Translation(
        settings, [*_COMMON, first, Rule("stages.{i}.w_2.weight", _weight(1), NEGATED)]
    )


@REFERENCES.register("Stage")
def stage(
    inplanes: int,
    planes: int,
    nl_type: str = "snl",
    stage_num: int = 5,
    aff_kernel: str = "dot",
    is_sys: bool = False,
    is_norm: bool = False,
) -> Translation:
    """``Stage`` of basic.py."""
    choose("nl_type", nl_type, STAGES)
    choose("aff_kernel", aff_kernel, ["dot"])
    inner = planes // 2 if nl_type == "caylay" else planes  # of its units
    settings: dict[str, Any] = dict(
        name=STAGES[nl_type], in_channels=inplanes, inner_channels=int(inner), stages=stage_num
    )
    settings.update(_affinity(nl_type, int(planes), stage_num, is_sys, is_norm))
    return Translation(settings, [*_COMMON, *_filter_rules(nl_type)])


def _affinity(
    nl_type: str, planes: int, stage_num: int, is_sys: bool, is_norm: bool
) -> dict[str, Any]:
    if nl_type == "snl":
        return {}  # symmetric and normalised whatever the flags say
    if nl_type == "dnl":
        choose("stage_num", stage_num, [1])  # with more, each stage has a unary term of its own
    if is_norm or is_sys:
        choose("nl_type with is_sys or is_norm", nl_type, ["nl", "ns", "a2", "caylay"])
    published = _AS_PUBLISHED if nl_type in ("nl", "dnl") else {}
    width = dict(inner_channels=planes) if nl_type == "caylay" else {}
    if is_norm or (is_sys and nl_type == "a2"):
        kind = dict(type="relu_dot", symmetrize=is_sys, normalize="sym" if is_norm else None)
    elif is_sys:
        # The official code averages the logits before the softmax, not the affinity.
        kind = dict(type="symmetric_gaussian", scale=False, normalize="rw")
    elif nl_type == "dnl":
        kind = dict(scale=False, whiten=False, temperature=1.0)
    elif nl_type == "a2":
        kind = {}
    else:
        kind = dict(scale=False)
    return dict(affinity={**kind, **width}, **published)


def _filter_rules(nl_type: str) -> list[Rule]:
    """nl and ns keep their only weight under w_2, snl its second."""
    first, second, hidden = (f"stages.{{i}}.{name}.weight" for name in ("w_1", "w_2", "w_h"))
    if nl_type == "snl":
        return [Rule(first, _weight(0)), Rule(second, _weight(1))]
    if nl_type == "caylay":
        return [Rule((first, second, hidden), (_weight(0), _weight(1)), _FOLDED)]
    unary = [Rule("stages.0.w_m.weight", "affinities.0.unary.weight")] if nl_type == "dnl" else []
    return [Rule(second, _weight(0)), *unary]


def _fold(first: Tensor, second: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
    """z W_1 + (z W_h + L^2 z) W_2 is z (W_1 + W_h W_2) + L^2 z W_2."""
    first, second, hidden = (weight.flatten(1) for weight in (first, second, hidden))
    return first + second @ hidden, second


_FOLDED = Change(_fold, None)
