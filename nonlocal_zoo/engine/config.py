"""Reading a config, with an error for every path and key that leads nowhere."""

import importlib.util
import inspect
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import mmengine.registry
from mmengine.config import Config, ConfigDict
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import Registry
from mmengine.runner import Runner

from nonlocal_zoo.blocks import NonLocalBlock
from nonlocal_zoo.blocks.build import block_settings
from nonlocal_zoo.registry import (
    AFFINITIES,
    BLOCKS,
    FILTERS,
    check_arguments,
    near,
    parameters_of,
)

from .errors import ConfigError

PARTS = ("affinity", "graph_filter")  # of a block's arguments, named by type

# What mmengine 0.10.7 reads from a config besides the arguments of Runner.
BESIDES_RUNNER = ("model_wrapper_cfg", "find_unused_parameters", "sync_bn", "compile",
                  "activation_checkpointing", "efficient_conv_bn_eval")  # fmt: skip


# mmengine takes _base_ = "package::path" of OpenMMLab's packages alone, and takes the package's
# name for that of a registry; ours are in the root registry.
PACKAGE = "nonlocal_zoo"
MODULE2PACKAGE.setdefault(PACKAGE, PACKAGE)


def load_config(path: str | Path, options: dict[str, Any] | None = None) -> Config:
    """The config in ``path``, with ``options`` (``{"model.decode_head.channels": 64}``) set.

    ``path`` may be ``package::path`` of an installed package, as
    ``nonlocal_zoo::synthetic/snl_r18-stage1_longrange.py``.

    Raises:
        ConfigError: there is no such file, or an option's key leads nowhere.
    """
    path = _found(str(path))
    if not path.is_file():
        others = [*path.parent.glob("*.py")] or Path("configs").rglob("*.py")
        hint = near(str(path), map(str, others))
        raise ConfigError(f"config={str(path)!r}: no such file.{hint}")
    config = Config.fromfile(path)
    _forget_scope(config._cfg_dict)
    for key, value in (options or {}).items():
        spell_out(config, key)
        check_option(config, key)
        try:
            config.merge_from_dict({key: value})
        except (TypeError, KeyError) as error:
            raise ConfigError(f"--cfg-options {key}={value!r}: {error}") from error
    return config


def _forget_scope(node: Any) -> None:
    if isinstance(node, dict):
        if node.get("_scope_") == PACKAGE:
            del node["_scope_"]
        node = list(node.values())
    if isinstance(node, list | tuple):
        for item in node:
            _forget_scope(item)


def _found(path: str) -> Path:
    """``path``, or the file of a package's configs that ``package::path`` names."""
    package, colons, inner = path.partition("::")
    if not colons:
        return Path(path)
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or spec.origin is None:
        raise ConfigError(f"config={path!r}: no package {package!r} is installed")
    return Path(spec.origin).with_name(".mim") / "configs" / inner


def spell_out(config: Config, key: str) -> None:
    """Makes dicts of the names of blocks, affinities and filters on the way of ``key``.

    A block ``"snl"`` is ``dict(name="snl")``, its affinity, also where the block's name alone says
    which, ``dict(type="relu_dot")``. mmengine would put the rest of the key in the place of a name.

    Raises:
        ConfigError: the block has several affinities, or its name stands under type.
    """
    node: Any = config
    parts = key.split(".")
    for i, part in enumerate(parts[:-1]):
        label = ".".join(parts[: i + 1])
        if isinstance(node, list | tuple) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
            continue
        if not isinstance(node, dict | Config):
            return
        if (settings := _settings(node)) is not None and part in PARTS:
            row = node.get(part) or settings.get(part) or parameters_of(NonLocalBlock)[part].default
            if isinstance(row, list | tuple):
                raise ConfigError(f"--cfg-options {key}: the block has several; give {label} as a "
                                  f"whole, it is {row}")  # fmt: skip
            row = row if isinstance(row, dict) else {"type": row}
            node[part] = ConfigDict({"type": _type(settings.get(part)), **row})
        if part not in node:
            return
        if isinstance(node[part], str) and node[part] in BLOCKS.names():
            node[part] = ConfigDict(name=node[part])
        node = node[part]
        if isinstance(node, dict) and node.get("type") in BLOCKS.names():
            name = node["type"]
            raise ConfigError(f"--cfg-options {key}: {label}.type={name!r} is the name of a block; "
                              f"write {label.rpartition('.')[2]}=dict(name={name!r})")  # fmt: skip


def _settings(node: Any) -> dict[str, Any] | None:
    """What a block has by its name, where ``node`` is the arguments of one; None: it is none."""
    if not isinstance(node, dict):
        return None
    plugins = {BLOCKS.get(name).plugin: name for name in BLOCKS.names()}
    name = node.get("name") or plugins.get(node.get("type"))
    if name in BLOCKS.names():
        return block_settings(name)
    return {} if set(PARTS) & set(node) else None


def _type(row: Any) -> Any:
    return row.get("type") if isinstance(row, dict) else row


def check_option(config: Config, key: str) -> None:
    """Refuses a key that names nothing: mmengine would add it and nobody would read it.

    Each part of ``a.b.c`` must be in the config, or an argument of the class that ``type`` names
    there (of Runner, at the top). Where a dict has no known type the last part may be new, with a
    warning.

    Raises:
        ConfigError: naming the part, the nearest and all allowed ones.
    """
    node, label, known = config, "the config", {*parameters_of(Runner), *BESIDES_RUNNER}
    parts = key.split(".")
    for i, part in enumerate(parts):
        if isinstance(node, list | tuple):
            if not (part.isdigit() and int(part) < len(node)):
                raise ConfigError(
                    f"--cfg-options {key}: {label} is a list; allowed are 0 to {len(node) - 1}"
                )
            node = node[int(part)]
        elif isinstance(node, dict | Config):
            if part not in node:
                if known is None and i == len(parts) - 1:
                    warnings.warn(
                        f"--cfg-options {key} is new: {label} has {sorted(node)}", stacklevel=3
                    )
                elif part not in (known or ()):
                    _refuse(key, label, {*node, *(known or ())}, part)
                return
            node = node[part]
        else:
            raise ConfigError(f"--cfg-options {key}: {label} is {node!r}, and has nothing in it")
        label = ".".join(parts[: i + 1])
        known = _of_table(node) or arguments_of(node, config.get("default_scope", "mmengine"))


def _of_table(node: Any) -> set[str] | None:
    """The arguments of the block, affinity or filter that ``node`` is; None: it is none."""
    if not isinstance(node, dict):
        return None
    if _settings(node) is not None:
        plugin = {"type", "postfix"} if "type" in node else set()
        return {"name", *parameters_of(NonLocalBlock), *plugin} - {"in_channels"}
    for table in (AFFINITIES, FILTERS):
        if node.get("type") in table.names():
            return {*parameters_of(table.get(node["type"])), "type"} - set(table.given)
    return None


def _refuse(key: str, label: str, allowed: Iterable[str], part: str) -> None:
    try:
        check_arguments(label, sorted(allowed), [part])
    except TypeError as error:
        raise ConfigError(f"--cfg-options {key}: {error}") from None


def arguments_of(node: Any, scope: str) -> set[str] | None:
    """Arguments of the class that ``node`` names by ``type``; None where that cannot be told."""
    if not (isinstance(node, dict) and isinstance(node.get("type"), str)):
        return None
    target = _find(node["type"], scope)
    names: set[str] = set()
    for kind in inspect.getmro(target) if inspect.isclass(target) else ():
        parameters = inspect.signature(kind.__init__).parameters.values()
        names |= {p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return names - {"self"} | {"type"}
    return None


def _find(name: str, scope: str) -> type | None:
    scope, _, name = name.rpartition(".") if "." in name else (scope, "", name)
    for root in vars(mmengine.registry).values():
        if isinstance(root, Registry):
            for registry in (root.children.get(scope), root):
                # Not get(): that imports and returns whatever a dotted name says.
                if registry is not None:
                    registry.import_from_location()
                    if name in registry.module_dict:
                        return registry.module_dict[name]
    return None
