"""The list of planted faults follows the code; running them takes an hour and is not done here."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("planted_faults", ROOT / "tools/planted_faults.py")
planted_faults = importlib.util.module_from_spec(spec)
spec.loader.exec_module(planted_faults)


def test_each_can_be_planted():
    faults = planted_faults.read_faults(planted_faults.LIST.read_text())
    assert len(faults) > 150 and len({fault.name for fault in faults}) == len(faults)
