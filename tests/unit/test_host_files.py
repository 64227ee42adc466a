"""The Ansible module host_files: run as Ansible runs it, as a program with its arguments on standard input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

MODULE = Path(__file__).resolve().parents[2] / "plugins" / "modules" / "host_files.py"


def run(*files: dict[str, Any], check_mode: bool = False) -> dict[str, Any]:
    arguments = {"ANSIBLE_MODULE_ARGS": {"files": list(files), "_ansible_check_mode": check_mode}}
    done = subprocess.run(
        [sys.executable, MODULE], input=json.dumps(arguments), capture_output=True, text=True, timeout=30, check=False
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_files_are_made_with_their_folders_and_modes_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    unit, script = tmp_path / "deep" / "er" / "a.service", tmp_path / "b.sh"
    files = ({"path": str(unit), "content": "[Unit]"}, {"path": str(script), "content": "echo\n", "mode": "0755"})
    assert run(*files)["paths"] == [str(unit), str(script)]
    assert (unit.read_text(), unit.stat().st_mode & 0o777) == ("[Unit]\n", 0o644)
    assert (script.read_text(), script.stat().st_mode & 0o777) == ("echo\n", 0o755)
    again = run(*files)
    assert (again["changed"], again["paths"]) == (False, [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.sh", "deep"]


def test_content_mode_and_kind_are_each_put_right(tmp_path: Path) -> None:
    path, elsewhere = tmp_path / "file", tmp_path / "elsewhere"
    wanted = {"path": str(path), "content": "right", "mode": "0600"}
    for spoil in (
        lambda: path.write_text("wrong\n"),
        lambda: path.chmod(0o644),
        lambda: (path.unlink(), elsewhere.write_text("right\n"), path.symlink_to(elsewhere)),
    ):
        run(wanted)
        spoil()
        assert run(wanted)["paths"] == [str(path)]
        assert not path.is_symlink()
        assert (path.read_text(), path.stat().st_mode & 0o777) == ("right\n", 0o600)
    assert elsewhere.read_text() == "right\n"


def test_check_mode_says_what_would_change_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert run({"path": str(path), "content": "x"}, check_mode=True)["changed"] is True
    assert not path.exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run({"path": str(tmp_path / "file" / "below"), "content": "x"})
    assert result["failed"] is True
    assert result["msg"] == f"'{tmp_path}/file/below' cannot be written: Not a directory"
