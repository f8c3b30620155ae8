"""Reading a config, with an error for every path and key that leads nowhere."""

import importlib.util
import inspect
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import mmengine.registry
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import Registry
from mmengine.runner import Runner

from nonlocal_zoo.registry import check_arguments, near, parameters_of

from .errors import ConfigError

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
        known = arguments_of(node, config.get("default_scope", "mmengine"))


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
