"""Every role has its scenario, and `scripts/molecule --touched` finds those that a change is about."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from provision.core.paths import ROOT

GIT = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t"}


def test_every_role_has_a_scenario() -> None:
    roles = {path.name for path in (ROOT / "roles").iterdir()}
    scenarios = {path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")}
    assert roles == scenarios
    for name in scenarios:
        assert {"converge.yml", "verify.yml"} <= {path.name for path in (ROOT / "molecule" / name).iterdir()}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with the script, two scenarios and a molecule command that only says its scenario's name."""
    (tmp_path / "scripts").mkdir()
    shutil.copy2(ROOT / "scripts" / "molecule", tmp_path / "scripts")
    for name in ("containerd", "multicast_source"):
        for kind in ("molecule", "roles"):
            (tmp_path / kind / name).mkdir(parents=True)
        (tmp_path / "molecule" / name / "molecule.yml").write_text("---\n")
        (tmp_path / "roles" / name / "main.yml").write_text("---\n")
    command = tmp_path / ".venv" / "bin" / "molecule"
    command.parent.mkdir(parents=True)
    command.write_text('#!/bin/sh\n[ "$3" != broken ]\n')
    command.chmod(0o755)
    (tmp_path / ".gitignore").write_text("/.venv/\n/build/\n")
    git(tmp_path, "init", "-q", "-b", "work")
    commit(tmp_path)
    return tmp_path


def git(folder: Path, *args: str) -> None:
    subprocess.run(["git", *args], cwd=folder, env={**os.environ, **GIT}, check=True, capture_output=True)


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "x")


def touched(folder: Path) -> tuple[list[str], str]:
    """The scenarios that ran, and what was said about the choice."""
    done = subprocess.run(
        ["scripts/molecule", "--touched"], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    return [
        line.split()[0] for line in done.stdout.splitlines() if line.endswith("passed") and " s " in line
    ], done.stderr


def test_the_first_commit_has_nothing_before_it(checkout: Path) -> None:
    names, said = touched(checkout)
    assert names == ["multicast_source"]
    assert "no earlier commit is known; multicast_source stands for all" in said


def test_a_role_that_the_last_commit_or_the_work_since_changed(checkout: Path) -> None:
    (checkout / "roles" / "containerd" / "main.yml").write_text("---\n- one\n")
    commit(checkout)
    assert touched(checkout)[0] == ["containerd"]
    (checkout / "roles" / "multicast_source" / "new.yml").write_text("---\n")
    assert touched(checkout)[0] == ["containerd", "multicast_source"]


def test_what_all_use_is_tried_by_one_and_other_things_by_none(checkout: Path) -> None:
    (checkout / "plugins").mkdir()
    (checkout / "plugins" / "module.py").write_text("")
    commit(checkout)
    assert touched(checkout)[0] == ["multicast_source"]
    (checkout / "README.md").write_text("")
    commit(checkout)
    names, said = touched(checkout)
    assert names == []
    assert "touches a role" in said


def test_a_branch_is_compared_with_where_it_left_main(checkout: Path) -> None:
    git(checkout, "update-ref", "refs/remotes/origin/main", "HEAD")
    (checkout / "roles" / "containerd" / "main.yml").write_text("---\n- one\n")
    commit(checkout)
    (checkout / "README.md").write_text("")
    commit(checkout)
    assert touched(checkout)[0] == ["containerd"]


def test_a_scenario_that_fails_fails_the_run(checkout: Path) -> None:
    done = subprocess.run(
        ["scripts/molecule", "containerd", "broken"], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "molecule: 1 of 2 scenarios passed" in done.stdout
