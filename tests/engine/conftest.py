import importlib.util
import sys
from pathlib import Path

import pytest
from quick_configs import undrawn_curves, unformatted_configs  # noqa: F401

sys.path.insert(0, str(Path(__file__).parent))  # tiny_run
if importlib.util.find_spec("mmseg") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """The path of the tiny config, with its pictures beside it."""
    import tiny_run

    return tiny_run.write(tmp_path_factory.mktemp("tiny"))
