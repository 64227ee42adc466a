"""A lab with a worker, for what takes too long for `make test`: `make test-nodes`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import CliLab, make_lab


@pytest.fixture(scope="session")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CliLab]:
    """Two nodes; MCASTLAB_E2E_LAB=FOLDER/NAME takes a lab that is up and leaves it so, for work on these tests."""
    if given := os.environ.get("MCASTLAB_E2E_LAB"):
        yield CliLab(Path(given).parent, Path(given).name)
        return
    lab = make_lab(tmp_path_factory.mktemp("nodes"), "nodes", 8)
    path = lab.folder / "lab.yml"
    worker = '  - {name: w1, role: worker, address: 10.98.8.9, address6: "fd00:98:8::9"}\n'
    path.write_text(path.read_text().replace("lan: ", f"{worker}lan: ", 1))
    try:
        lab.report("up")
        yield lab
    finally:
        lab("down")
