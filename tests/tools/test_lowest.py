"""Dependencies: each has a lowest version in setup.cfg and a tested one in constraints.txt."""

import importlib.util
import re
from pathlib import Path

import pytest
from packaging.version import Version

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("lowest", ROOT / "tools" / "lowest.py")
lowest = importlib.util.module_from_spec(spec)
spec.loader.exec_module(lowest)

PINS = dict(re.findall(r"^([\w.-]+)==([\w.]+)$", (ROOT / "constraints.txt").read_text(), re.M))
BOUNDS = lowest.requirements()


@pytest.mark.parametrize("name", BOUNDS)
def test_is_bounded_and_pinned(name):
    kind, version = BOUNDS[name]
    assert kind, f"{name} has no lowest version in setup.cfg"
    pin = {key.lower(): value for key, value in PINS.items()}.get(name)
    if name == "numpy":  # a bound there: its builds differ by platform
        return
    assert pin, f"{name} is not in constraints.txt"
    assert Version(pin) >= Version(version) if kind == ">=" else pin == version


def test_the_two_commands_install_what_was_tested():
    text = (ROOT / "Makefile").read_text()
    assert "pip install -q -c constraints.txt -e" in text
    for target in ("demo", "test"):
        assert re.search(rf"^{target}: \$\(READY\)$", text, re.M)


def test_what_cannot_be_read_is_an_error(tmp_path):
    broken = tmp_path / "setup.cfg"
    broken.write_text("[metadata]\nname = x\n[options]\ninstall_requires =\n    a~=3\n"
                      "[options.extras_require]\n")  # fmt: skip
    with pytest.raises(ValueError, match="'a~=3'; allowed"):
        lowest.requirements(broken)
