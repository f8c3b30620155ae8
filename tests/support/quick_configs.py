"""Runs of a second: without what takes half of it."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def unformatted_configs():
    """mmengine beautifies the config seven times a run: half the time of a run this small."""
    with pytest.MonkeyPatch.context() as patch:
        for place in ("mmengine.config.config", "yapf.yapflib.yapf_api"):  # 0.10.7; onedl-mmengine
            patch.setattr(f"{place}.FormatCode", lambda text, **_: (text, True), raising=False)
        yield


@pytest.fixture(autouse=True, scope="session")
def undrawn_curves():
    """curves.png after each validation: more than half of what is left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nonlocal_zoo.engine.curves.draw", lambda work_dir: None)
        yield
