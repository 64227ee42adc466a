"""What the tests of multicast-policy need: root, clang, and the real CNI plug-ins."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.artifacts import bpf_object, golang
from provision.core.paths import cache_dir
from tests.integration.multicast_policy.kinds import kinds
from tests.integration.multicast_policy.policy_node import Node

NEEDED = ("bridge", "host-local")


def pytest_report_header() -> str:
    """What this kernel is asked by."""
    return f"kernel {os.uname().release}, programs by {' and '.join(kinds())}"


@pytest.fixture(scope="session")
def cni_bin() -> Path:
    """The folder of the real plug-ins: MCASTLAB_CNI_BIN, or the newest bundle's."""
    if os.geteuid() != 0:
        pytest.fail("these tests make network namespaces: run them as root")
    given = os.environ.get("MCASTLAB_CNI_BIN")
    bundles = sorted((cache_dir() / "bundles").glob("*/cni"), key=lambda path: path.stat().st_mtime, reverse=True)
    for folder in [Path(given)] if given else bundles:
        if all((folder / name).is_file() for name in NEEDED):
            return folder
    pytest.fail("no folder with the CNI plug-ins was found: set MCASTLAB_CNI_BIN, or run `mcastlab artifacts build`")


@pytest.fixture(scope="session")
def policy_object(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled programs: MCASTLAB_POLICY_OBJECT, where there is no compiler, or made here."""
    if given := os.environ.get("MCASTLAB_POLICY_OBJECT"):
        return Path(given)
    folder = tmp_path_factory.mktemp("object")
    bpf_object.make_object(folder, golang.architecture(), lambda _said: None)
    return folder / "policy.o"


@pytest.fixture
def bare_node(tmp_path: Path, cni_bin: Path) -> Iterator[Node]:
    """A node whose kernel takes no programs: what passes there is what they keep out."""
    made = Node(tmp_path, cni_bin)
    try:
        made.refuse("it is bare")
        yield made
    finally:
        made.close()


@pytest.fixture
def node(tmp_path: Path, cni_bin: Path, policy_object: Path) -> Iterator[Node]:
    """A node of its own for each test, with the programs loaded and no agent."""
    made = Node(tmp_path, cni_bin)
    try:
        made.load(policy_object)
        yield made
    finally:
        made.close()
