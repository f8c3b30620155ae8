import importlib.util
import sys
from pathlib import Path

import pytest
from quick_configs import undrawn_curves, unformatted_configs  # noqa: F401

sys.path.insert(0, str(Path(__file__).parent))  # tiny_coco
if importlib.util.find_spec("mmdet") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(autouse=True, scope="session")
def nuclei(tmp_path_factory):
    """Pictures where the configs look for nuclei."""
    import tiny_coco

    folder = tmp_path_factory.mktemp("nuclei")
    tiny_coco.write(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NLZ_NUCLEI", str(folder))
        yield folder
