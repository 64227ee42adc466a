"""What the tests of netattach with the real CNI plug-ins need; root, and the plug-ins' binaries."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from netattach_node import Node  # noqa: E402

from agents.netattach import build  # noqa: E402

NEEDED = ("bridge", "host-local", "macvlan", "portmap", "static", "tuning", "whereabouts")


def _candidates() -> list[Path]:
    if given := os.environ.get("MCASTLAB_CNI_BIN"):
        return [Path(given)]
    bundles = build.cache_folder().parent / "bundles"
    return sorted(bundles.glob("*/cni"), key=lambda folder: folder.stat().st_mtime, reverse=True)


@pytest.fixture(scope="session")
def cni_bin() -> Path:
    """The folder of the real plug-ins: MCASTLAB_CNI_BIN, or the newest bundle's."""
    if os.geteuid() != 0:
        pytest.fail("these tests make network namespaces: run them as root")
    for folder in _candidates():
        if all((folder / name).is_file() for name in NEEDED):
            return folder
    pytest.fail(
        f"no folder with the CNI plug-ins {', '.join(NEEDED)} was found: set MCASTLAB_CNI_BIN, or run "
        f"`mcastlab artifacts build`; looked in: {', '.join(map(str, _candidates())) or 'no bundle'}"
    )


@pytest.fixture(scope="session")
def executable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """netattach, built as role netattach builds it."""
    return build.build(tmp_path_factory.mktemp("netattach"))


@pytest.fixture
def node(tmp_path: Path, executable: Path, cni_bin: Path) -> Iterator[Node]:
    """A node of its own for each test."""
    with closing(Node(tmp_path, executable, cni_bin)) as made:
        yield made
