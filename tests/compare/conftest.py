import importlib.util
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))  # tiny_run
if importlib.util.find_spec("mmseg") is None or importlib.util.find_spec("submitit") is None:
    collect_ignore_glob = ["test_*.py"]

CHILD = """
_base_ = ['{parent}']
model = dict(decode_head=dict(_delete_=True, type='NonLocalHead', in_channels=8, in_index=0,
    channels=8, num_classes=2, dropout_ratio=0, norm_cfg=dict(type='BN'), align_corners=False,
    loss_decode=dict(type='CrossEntropyLoss')))
test_evaluator = dict(type='ClassIoUMetric')
default_hooks = dict(visualization=dict(draw=False))
compare = dict(places=['model.decode_head.block'], metric='mIoU', pictures=[0, 3])
"""


@pytest.fixture(scope="session")
def base_file(tmp_path_factory):
    """The path of a config whose cells take a second."""
    import tiny_run

    parent = tiny_run.write(tmp_path_factory.mktemp("compare"))
    path = parent.with_name("compare_tiny.py")
    path.write_text(CHILD.format(parent=parent))
    return path


@pytest.fixture(scope="session")
def base(base_file):
    from nonlocal_zoo.experiments.compare.place import read_base

    return read_base(base_file)


@pytest.fixture(autouse=True, scope="session")
def unformatted_configs():
    """mmengine beautifies the config seven times a run: half the time of a run this small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mmengine.config.config.FormatCode", lambda text, **_: (text, True))
        yield
