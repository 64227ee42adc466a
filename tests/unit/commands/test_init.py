"""`mcastlab init`: a lab.yml that is one, a Vagrantfile that leads to this mcastlab, and nothing overwritten."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from provision import config
from provision.commands.init import init
from provision.core.errors import InputError
from provision.core.paths import ROOT


def test_it_is_the_default_lab_under_that_name(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "video"
    assert init(folder, "video", vagrantfile=False) == [folder / "lab.yml"]
    assert config.load(folder / "lab.yml") == config.load(None).model_copy(update={"name": "video"})


def test_the_vagrantfile_means_the_lab_beside_it(tmp_path: Path) -> None:
    """Loaded by Ruby with Vagrant's own words stubbed: the lab is that of the new folder."""
    init(tmp_path, "video", vagrantfile=True)
    stubs = (
        "module Vagrant; def self.method_missing(*); end; end; module Kernel; def load(file); $loaded = file; end; end"
    )
    program = (
        f"{stubs}; eval(File.read(ARGV[0]), binding, ARGV[0]); puts MCASTLAB_LAB_FILE, ENV['MCASTLAB_PYTHON'], $loaded"
    )
    shown = subprocess.run(
        ["ruby", "-e", program, tmp_path / "Vagrantfile"], capture_output=True, text=True, check=True, timeout=30
    ).stdout
    assert shown.split() == [str(tmp_path / "lab.yml"), sys.executable, str(ROOT / "Vagrantfile")]


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "Vagrantfile").write_text("mine")
    with pytest.raises(InputError, match="is there already") as refused:
        init(tmp_path, "video", vagrantfile=True)
    assert refused.value.where == str(tmp_path / "Vagrantfile")
    assert [path.name for path in tmp_path.iterdir()] == ["Vagrantfile"]


@pytest.mark.parametrize("name", ["Video!", "", "x" * 64])
def test_a_name_that_no_lab_can_have_leaves_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as refused:
        init(tmp_path / "new", name, vagrantfile=True)
    assert (refused.value.where, refused.value.remedy) == ("--name", "Take another name")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        init(tmp_path / "file" / "video", "video", vagrantfile=False)


def test_quotes_in_paths_stay_within_theirs(tmp_path: Path) -> None:
    init(tmp_path, "video", vagrantfile=True)
    line = next(line for line in (tmp_path / "Vagrantfile").read_text().splitlines() if line.startswith("load "))
    assert json.loads(line.removeprefix("load ")) == str(ROOT / "Vagrantfile")
