"""How to build every registered entry at a small size.

A new entry is tested by being registered. One that needs arguments which have no default, or
whose defaults are too large for a test, gets a line here; one that is missing fails to build.
"""

from __future__ import annotations

import itertools
from typing import Any

from nonlocal_zoo.registry import AFFINITIES, BLOCKS, FILTERS, parameters_of

AFFINITY_ARGUMENTS: dict[str, dict[str, Any]] = {
    "expectation_maximization": {"bases": 5},
    "knn": {"neighbours": 3, "sigma": 0.8},
    "latent": {"dim": 5},
    "nearest": {"neighbours": 4},
    "reasoning": {"dim": 5},
    "mixture": {
        "kernels": [
            {"type": "relu_dot", "symmetrize": True, "normalize": "sym"},
            {"type": "latent", "dim": 3},
            "symmetric_gaussian",
        ]
    },
}
SMALL_LATENT = [{"type": "latent", "dim": 5}]
BLOCK_OVERRIDES: dict[str, dict[str, Any]] = {
    "ema": {"affinity": {"bases": 5}},
    "glore": {"affinity": {"dim": 5}},
    "latentgnn": {"affinity": {"dim": 5}},
    "latentgnn_group": {"affinity": {"dim": 3, "groups": 2}},
    "nearest": {"affinity": {"neighbours": 4}},
    "latentgnn_paper": {"affinity": {"dim": 5}},
    "latentgnn_shared": {"affinity": {"dim": 5}},
    "latentgnn_3": {"affinity": {"dim": 5}},
    "latentgnn_mixture": {"affinity": {"kernels": SMALL_LATENT}},
}
NOT_NORMALIZABLE = {"compact", "dot_product", "reasoning"}  # entries of any sign
WHERE_NORMALIZED = {"inner_product": {"rectify": True}}  # what a normalisation needs besides
NORMALIZE = {"symmetric_gaussian": ("sym", "rw")}  # what it takes, if not all three


def affinity_config(name: str) -> dict[str, Any]:
    return {"type": name, **AFFINITY_ARGUMENTS.get(name, {})}


def build_affinity(config: dict[str, Any], channels: int = 6, inner_channels: int = 4) -> Any:
    return AFFINITIES.build(config, channels=channels, inner_channels=inner_channels)


def flag_variants(name: str) -> list[dict[str, Any]]:
    """The plain config, and one for each flag (scale, shared, bias, ...) that is turned over."""
    config = affinity_config(name)
    flags = {
        key: not parameter.default
        for key, parameter in parameters_of(AFFINITIES.get(name)).items()
        if isinstance(parameter.default, bool) and key not in ("symmetrize", "subsample")
    }
    return [config, *({**config, key: value} for key, value in flags.items())]


def forms(name: str) -> list[dict[str, Any]]:
    """All (symmetrize, normalize) that ``name`` takes."""
    taken = parameters_of(AFFINITIES.get(name))
    symmetrize = (False, True) if "symmetrize" in taken else (None,)
    normalize = (None,)
    if "normalize" in taken and name not in NOT_NORMALIZABLE:
        normalize = NORMALIZE.get(name, (None, "sym", "rw"))
    return [
        {
            **affinity_config(name),
            **({"symmetrize": s} if s is not None else {}),
            **({"normalize": n, **WHERE_NORMALIZED.get(name, {})} if n is not None else {}),
        }
        for s, n in itertools.product(symmetrize, normalize)
    ]


def poolable(name: str) -> bool:
    return "subsample" in parameters_of(AFFINITIES.get(name))


AFFINITY_CONFIGS = [c for n in AFFINITIES.names() for c in flag_variants(n)[1:] + forms(n)]
POOLED_CONFIGS = [
    {**affinity_config(name), "subsample": True} for name in AFFINITIES.names() if poolable(name)
]


TAKES_ONE_ROW = {"adjacency", "bottleneck", "graph_conv", "propagation"}  # A z is all they need
EXACT_SPECTRUM = {
    "double_attention",
    "expectation_maximization",
    "identity",
    "inner_product",
    "latent",
    "relu_dot",
}


def pair_settings(affinity: dict[str, Any], graph_filter: str) -> dict[str, Any]:
    """Arguments of a block of the pair: z = x where one of the two asks for it, and symmetric,
    normalised affinities for the filters that are functions of a matrix."""
    if graph_filter in MATRIX_FUNCTIONS:
        affinity = (
            forms(affinity["type"])[-1]
            if affinity == affinity_config(affinity["type"])
            else affinity
        )
        if "symmetrize" in parameters_of(AFFINITIES.get(affinity["type"])):
            affinity = {**affinity, "symmetrize": True}
        if affinity.get("normalize"):
            affinity = {**affinity, "normalize": "sym"}
    without_values = graph_filter == "propagation" or affinity["type"] == "channel"
    return {"affinity": affinity, "graph_filter": graph_filter, "values": not without_values}


def why_illegal(affinity: dict[str, Any], graph_filter: str) -> str:
    """What the error of an illegal pair must say; "" where the pair is legal."""
    name = affinity["type"]
    if name == "global_pooling" and graph_filter not in TAKES_ONE_ROW:
        return f"the {graph_filter} filter needs a"  # square operator
    if name == "compact" and graph_filter == "propagation":
        return "allowed: values=False for those of the input, values=True for inner_channels"
    if graph_filter in ("arma", "heat", "spectral") and name in NOT_NORMALIZABLE:
        return f"the {graph_filter} filter needs an operator of spectral radius <= 1"
    if graph_filter == "spectral" and name not in EXACT_SPECTRUM:
        return "the spectral filter needs an operator with an exact spectrum"
    return ""


def block_settings(name: str) -> dict[str, Any]:
    """The settings of a row with the overrides above: what ``build_block`` should make of them."""
    settings = dict(BLOCKS.get(name).settings)
    for key, value in BLOCK_OVERRIDES.get(name, {}).items():
        row = settings.get(key)
        row = {"type": row} if isinstance(row, str) else row
        both_dicts = isinstance(value, dict) and isinstance(row, dict)
        settings[key] = {**row, **value} if both_dicts else value
    return settings


def label(config: Any) -> str:
    """A short test id."""
    if not isinstance(config, dict):
        return str(config)
    return "-".join(
        f"{k}={v}" if k != "type" else v for k, v in config.items() if not isinstance(v, list)
    )


# Filters that ask more of an operator than matmul: each has its own tests/filters/test_NAME.py.
MATRIX_FUNCTIONS = {"arma", "cayley", "heat", "spectral"}
OWN_TESTS = MATRIX_FUNCTIONS | {"propagation"}
FILTER_NAMES = [name for name in FILTERS.names() if name not in OWN_TESTS]
FILTER_CONFIGS: list[dict[str, Any]] = []
for _name in FILTER_NAMES:
    _orders = [{"order": k} for k in (0, 1, 2, 5)]
    _takes_order = "order" in parameters_of(FILTERS.get(_name))
    FILTER_CONFIGS += [{"type": _name, **o} for o in (_orders if _takes_order else [{}])]
