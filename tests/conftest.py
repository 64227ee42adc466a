"""What all tests share."""

from __future__ import annotations

from types import SimpleNamespace

import pytest


@pytest.fixture(autouse=True)
def no_imported_image(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user imported decides the attacher, and must decide no test but the end-to-end ones, which say so."""
    if "e2e" not in request.path.parts:
        monkeypatch.setattr("provision.networks.attacher.imported", SimpleNamespace(find=lambda _kind: None))
