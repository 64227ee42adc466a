"""The built wheel alone brings a lab up: no checkout, a plain user with sudo, another `python3` first on the path."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision import __version__
from provision.core.paths import ROOT
from tests.e2e.conftest import bundle, make_lab
from tests.plain_user import PlainUser

BIN = Path(sys.executable).parent
INCLUDED = ("agents", "bundle", "images", "playbooks", "plugins", "roles", "templates", "vagrant")
IN_BOTH = ("agents/multicast_policy/", "agents/netattach/", "playbooks/", "plugins/", "roles/")


def tracked() -> list[Path]:
    """The files of the checkout, without what only lies about in it."""
    shown = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [Path(line) for line in shown.splitlines() if (ROOT / line).is_file()]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that has nothing but the checkout's own files."""
    copy = tmp_path_factory.mktemp("tree")
    for path in tracked():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, copy / path, follow_symlinks=False)
    return copy


@pytest.fixture(scope="module")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(out)]
    subprocess.run(build, cwd=tree, check=True, capture_output=True, timeout=120)
    [made] = out.glob("*.whl")
    return made


def assets(wheel: Path) -> set[str]:
    """The wheel's files of the kind that a checkout has beside the package, by their paths there."""
    place = "provision/assets/"
    with zipfile.ZipFile(wheel) as archive:
        return {name.removeprefix(place) for name in archive.namelist() if name.startswith(place)}


def test_the_wheel_has_all_that_a_lab_is_made_of(wheel: Path) -> None:
    wanted = {str(path) for path in tracked() if path.parts[0] in INCLUDED}
    extra = {"ansible.cfg", "Vagrantfile", "provision/config/defaults.yml", "requirements/multicast-policy.txt"}
    assert assets(wheel) == wanted | extra


def test_the_collection_has_what_ansible_needs_of_the_same_tree_and_nothing_else(
    wheel: Path, tree: Path, tmp_path: Path
) -> None:
    build = [BIN / "ansible-galaxy", "collection", "build", "--output-path", tmp_path]
    environment = {**os.environ, "ANSIBLE_HOME": str(tmp_path / "home")}
    subprocess.run(build, cwd=tree, env=environment, check=True, capture_output=True, timeout=120)
    [archive] = tmp_path.glob(f"mcastlab-mcastlab-{__version__}.tar.gz")
    with tarfile.open(archive) as tar:
        held = {member.name for member in tar.getmembers() if not member.isdir()}
    both = {name for name in assets(wheel) if name.startswith(IN_BOTH)}
    pages = {str(path) for path in tracked() if path.parts[0] in ("docs", "meta") and path.suffix != ".py"}
    files = {"CHANGELOG.md", "LICENSE", "README.md", "FILES.json", "MANIFEST.json"}
    assert held == both | pages | files


@pytest.fixture
def user(wheel: Path) -> Iterator[PlainUser]:
    """One who has the wheel in a virtual environment, and what a lab is made of in a cache."""
    bundle()  # made where it is missing
    user = PlainUser.make()
    try:
        python = user.command.with_name("python")
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", python.parents[1]], check=True, timeout=60)
        uv = [BIN / "uv", "pip", "install", "--quiet", "--link-mode=copy", "--python", python]
        subprocess.run([*uv, "--require-hashes", "-r", ROOT / "requirements" / "run.txt"], check=True, timeout=300)
        subprocess.run([*uv, "--no-deps", wheel], check=True, timeout=60)
        shadow = user.home / "shadow" / "python3"
        shadow.parent.mkdir()
        shadow.write_text("#!/bin/sh\necho this is not Debian's >&2\nexit 9\n")
        shadow.chmod(0o755)
        user.owns_all()
        user.give_cache()
        yield user
    finally:
        user.remove()


def test_a_lab_comes_up_from_it_for_a_plain_user_and_goes(user: PlainUser) -> None:
    lab = ("--lab", str(user.lab))

    def mcastlab(*args: str) -> str:
        done = user.run([str(user.command), *args], user.home / "shadow")
        assert done.returncode == 0, f"mcastlab {' '.join(args)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    assert "lab.yml" in mcastlab("init", str(user.lab.parent))
    assert "kind: NetworkAttachmentDefinition" in mcastlab("render", *lab)
    make_lab(user.lab.parent, "wheel", 66)
    shown = mcastlab("up", *lab)
    assert "11 passed" in shown
    assert str(ROOT) not in shown
    assert "1 passed" in mcastlab("check", "host-to-host", *lab)
    assert "running" in mcastlab("status", *lab)
    assert mcastlab("ssh", *lab, "k8s", "--", "id", "-u") == "0\n"
    mcastlab("logs", str(user.home / "logs"), *lab)
    assert user.owned_by_root() == []
    mcastlab("down", *lab)
    assert list(user.lab.parent.iterdir()) == [user.lab]
