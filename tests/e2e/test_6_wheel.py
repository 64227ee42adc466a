"""The built wheel alone brings a lab up: no checkout, a home of its own, and another `python3` first on the path."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from provision.core.paths import ROOT, cache_dir
from tests.e2e.conftest import OWN_LABS, make_lab

pytestmark = OWN_LABS

BIN = Path(sys.executable).parent
INCLUDED = ("agents", "bundle", "images", "playbooks", "plugins", "roles", "templates", "vagrant")


def tracked() -> list[Path]:
    """The files of the checkout, without what only lies about in it."""
    shown = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [Path(line) for line in shown.splitlines() if (ROOT / line).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy that has nothing but the checkout's own files."""
    copy, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for path in tracked():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, copy / path)
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(out)]
    subprocess.run(build, cwd=copy, check=True, capture_output=True, timeout=120)
    [made] = out.glob("*.whl")
    return made


def test_the_wheel_has_all_that_a_lab_is_made_of(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("provision/assets/")}
    wanted = {f"provision/assets/{path}" for path in tracked() if path.parts[0] in INCLUDED}
    extra = {"ansible.cfg", "Vagrantfile", "provision/config/defaults.yml", "requirements/multicast-policy.txt"}
    assert held == wanted | {f"provision/assets/{name}" for name in extra}


def test_a_lab_comes_up_from_it_and_goes(wheel: Path, tmp_path: Path) -> None:
    venv, home, folder, shadow = (tmp_path / name for name in ("venv", "home", "lab", "shadow"))
    for made in (home, shadow):
        made.mkdir()
    (shadow / "python3").write_text("#!/bin/sh\necho this is not Debian's >&2\nexit 9\n")
    (shadow / "python3").chmod(0o755)
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", venv], check=True, timeout=60)
    uv = [BIN / "uv", "pip", "install", "--quiet", "--python", venv / "bin" / "python"]
    subprocess.run([*uv, "--require-hashes", "-r", ROOT / "requirements" / "run.txt"], check=True, timeout=300)
    subprocess.run([*uv, "--no-deps", wheel], check=True, timeout=60)
    environ = {
        "HOME": str(home),
        "PATH": f"{shadow}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/go/bin",
        "MCASTLAB_CACHE": str(cache_dir()),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        # How Go reaches its modules here, and with it the cache's keys, is this machine's and no checkout's.
        "GOENV": str(Path.home() / ".config/go/env"),
        **{name: value for name, value in os.environ.items() if name.startswith("GO")},
    }

    def mcastlab(*args: str) -> str:
        done = subprocess.run(
            [venv / "bin" / "mcastlab", *args],
            cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=900,
        )  # fmt: skip
        assert done.returncode == 0, f"mcastlab {' '.join(args)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    assert "lab.yml" in mcastlab("init", str(folder))
    assert "kind: NetworkAttachmentDefinition" in mcastlab("render", "--lab", str(folder / "lab.yml"))
    make_lab(folder, "wheel", 66)
    try:
        shown = mcastlab("up", "--lab", str(folder / "lab.yml"))
        assert "11 passed" in shown
        assert str(ROOT) not in shown
    finally:
        mcastlab("down", "--lab", str(folder / "lab.yml"))
    assert list(folder.iterdir()) == [folder / "lab.yml"]
