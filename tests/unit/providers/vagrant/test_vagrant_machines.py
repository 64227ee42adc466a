"""What the Vagrantfile asks of each of Vagrant's providers, to the letter; and that Vagrant itself accepts it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from provision.core.paths import ROOT
from tests.golden_files import compare

HERE = Path(__file__).parent
SECOND = ROOT / "tests/golden/second-lab.yml"
MADE = {"bundle": "BUNDLE", "node_image": "localhost/mcastlab/node:0123", "kvm": True, "box": None}
BOX = {"name": "mcastlab-box-0123", "file": "/cache/mcastlab.box", "kernel": "/cache/vmlinuz"}
BOX |= {"initrd": "/cache/initrd.img", "key": "/cache/id_ed25519", "cmd_line": "root=/dev/vda rw"}
# By name: lab file, Vagrant's provider, what machines.json holds.
CASES = {
    "virtualbox": ("lab.yml", "virtualbox", MADE),
    "libvirt-debians-box": ("lab.yml", "libvirt", MADE),
    "libvirt-own-box-emulated": ("lab.yml", "libvirt", {**MADE, "kvm": False, "box": BOX}),
    "docker": ("lab.yml", "docker", MADE),
    "second-docker": (str(SECOND), "docker", MADE),
    "second-virtualbox": (str(SECOND), "virtualbox", MADE),
}


@pytest.mark.parametrize("name", CASES)
def test_what_machines_are_made_with(name: str) -> None:
    lab, provider, made = CASES[name]
    argv = ["ruby", str(HERE / "recorder.rb"), str(ROOT / lab), provider, json.dumps(made)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    compare(done.stdout, HERE / "golden" / f"{name}.json")


@pytest.mark.parametrize("lab", ["lab.yml", "tests/golden/second-lab.yml"])
def test_vagrant_accepts_the_vagrantfile(tmp_path: Path, lab: str) -> None:
    own = {
        "MCASTLAB_LAB": str(ROOT / lab),
        "MCASTLAB_STATE": str(tmp_path),
        "VAGRANT_DOTFILE_PATH": str(tmp_path / "v"),
    }
    environment = {**os.environ, "VAGRANT_CHECKPOINT_DISABLE": "1", "VAGRANT_HOME": str(tmp_path / "home"), **own}
    argv = ["vagrant", "validate", "--ignore-provider"]
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Vagrantfile validated successfully." in done.stdout


def test_another_lab_needs_a_folder_of_its_own_for_its_machines(tmp_path: Path) -> None:
    environment = {**os.environ, "MCASTLAB_LAB": str(SECOND), "VAGRANT_HOME": str(tmp_path)}
    environment.pop("VAGRANT_DOTFILE_PATH", None)
    own = ROOT / ".vagrant"  # Vagrant makes it before it reads the Vagrantfile
    was_there = own.exists()
    done = subprocess.run(
        ["vagrant", "status"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    if not was_there:
        shutil.rmtree(own)
    assert done.returncode != 0
    assert "MCASTLAB_LAB names another lab, and VAGRANT_DOTFILE_PATH no folder for its machines" in done.stderr
