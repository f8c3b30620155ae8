"""Insertion in networks of other people: docs/hosts.md has what it says of each."""

import sys
from pathlib import Path

import pytest
from hosts import HOSTS, has, try_host

from nonlocal_zoo.tables import to_markdown

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "hosts.md"


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: f"{host.package}: {host.name}")
def test_insertion(host):
    if not has(host.package):
        pytest.skip(f"{host.package} does not import")
    row = to_markdown(("",) * 7, [try_host(host)]).splitlines()[-1]
    squeezed = ["".join(line.split()) for line in PAGE.read_text().splitlines()]
    assert "".join(row.split()) in squeezed, f"docs/hosts.md is stale: {row}"


def test_the_page_has_no_other_rows(monkeypatch):
    """Its text, and its rows in their order; what they say is held by the test above."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    sys.modules.pop("make_hosts", None)
    import make_hosts

    monkeypatch.setattr(make_hosts, "has", lambda package: False)
    assert make_hosts.page() == PAGE.read_text()
