"""Prints the lower bounds of setup.cfg as constraints for pip: what `make lowest` installs."""

import configparser
import re
import sys
from pathlib import Path

SETUP = Path(__file__).parents[1] / "setup.cfg"
NEEDS = re.compile(r"([\w.-]+)(?:\[[\w,]+\])?(?:(==|>=)([\w.]+))?(?:,?<[\w.]+)?")


def requirements(path: Path = SETUP) -> dict[str, tuple[str, str]]:
    """Name to ("==" or ">=", version) for all requirements; ("", "") where there is no bound.

    Of several bounds on one package the last one counts: extras may ask for more than the core.
    """
    parser = configparser.ConfigParser()
    parser.read(path)
    texts = [parser["options"]["install_requires"], *parser["options.extras_require"].values()]
    found: dict[str, tuple[str, str]] = {}
    for line in "\n".join(texts).split("\n"):
        line = line.strip()
        if not line or line.startswith(("#", parser["metadata"]["name"])):
            continue
        match = NEEDS.fullmatch(line)
        if match is None:
            raise ValueError(f"{path}: {line!r}; allowed: name==version, name>=version")
        found[match[1].lower()] = (match[2] or "", match[3] or "")
    return found


def main() -> None:
    """Prints them."""
    for name, (_, version) in sorted(requirements().items()):
        if version:
            print(f"{name}=={version}")


if __name__ == "__main__":
    sys.exit(main())
