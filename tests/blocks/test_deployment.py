"""torch.compile, torch.export and ONNX of every block: what docs/deployment.md says."""

import pytest
import torch
from deployment import CASES, REFUSED, WAYS, check_compile

from nonlocal_zoo.operators import streaming


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    """Several blocks of rows at sizes that are fast to test."""
    monkeypatch.setattr(streaming, "SCORES_AT_ONCE", 256)


def messages(error):
    while error is not None:
        yield str(error)
        error = error.__cause__


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("way", WAYS)
def test_every_block(name, way):
    if (name, way) not in REFUSED:
        WAYS[way](CASES[name])
        return
    word, _ = REFUSED[name, way]
    with pytest.raises(Exception, match="") as raised:
        WAYS[way](CASES[name])
    assert any(word in message for message in messages(raised.value)), "another reason, or it works"
