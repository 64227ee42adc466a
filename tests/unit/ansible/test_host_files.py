"""The Ansible module host_files: run as its action runs it, as a program on standard input, arguments and all."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.own_modules import program


def run(*files: dict[str, Any], check_mode: bool = False, path: str = "", **more: Any) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-I", "-"],
        input=program("host_files", {"files": list(files), **more}, check_mode=check_mode),
        env={**os.environ, "PATH": path or os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
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


def test_content_comes_encoded_from_a_file_of_the_host_or_from_all_files_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    for name in ("one", "two"):
        (tmp_path / "from" / name).write_bytes(f"\0{name}".encode())
    wanted = (
        {"path": str(tmp_path / "encoded"), "base64": base64.b64encode(b"\0\1").decode()},
        {"path": str(tmp_path / "copied"), "source": str(tmp_path / "from" / "one")},
        {"path": str(tmp_path / "to"), "source": str(tmp_path / "from"), "mode": "0755"},
    )
    assert run(*wanted)["paths"] == [f"{tmp_path}/{name}" for name in ("encoded", "copied", "to/one", "to/two")]
    assert (tmp_path / "encoded").read_bytes() == b"\0\1"
    assert (tmp_path / "copied").read_bytes() == b"\0one"
    assert (tmp_path / "to" / "two").stat().st_mode & 0o777 == 0o755
    assert run(*wanted)["changed"] is False


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = run({"path": str(tmp_path / "a"), "source": str(tmp_path / "none")})
    assert result["msg"] == f"'{tmp_path}/none' cannot be read: No such file or directory"


def test_what_is_looked_for_and_asked_is_answered_after_the_files(tmp_path: Path) -> None:
    path = tmp_path / "file"
    result = run(
        {"path": str(path), "content": "x"},
        look=[str(path), str(tmp_path), str(tmp_path / "none")],
        ask={"cat": ["cat", str(path)], "no": ["false"], "missing": ["no-such-command"]},
    )
    assert result["found"] == {str(path): hashlib.sha256(b"x\n").hexdigest(), str(tmp_path): ""}
    assert result["said"]["cat"] == {"rc": 0, "stdout": "x\n", "stderr": ""}
    assert (result["said"]["no"]["rc"], result["said"]["missing"]["rc"]) == (1, -1)


SYSTEMCTL = """#!/bin/sh
# A systemctl that answers as it is told and notes what it is told to do.
here=$(dirname "$0")
[ "$1" = show ] && { cat "$here/state"; exit 0; }
echo "$*" >>"$here/done"
[ ! -e "$here/refuses" ] || { echo "Job failed." >&2; exit 1; }
"""


@pytest.mark.parametrize(
    ("active", "enabled", "reload", "changed", "restart", "acts"),
    [
        ("active", "enabled", "no", False, False, []),
        ("inactive", "disabled", "no", False, False, ["enable one.service", "start one.service"]),
        ("failed", "enabled", "no", True, False, ["start one.service"]),
        ("active", "enabled", "no", True, False, ["restart one.service"]),
        ("active", "enabled", "no", False, True, ["restart one.service"]),
        ("active", "enabled", "yes", False, False, ["daemon-reload"]),
    ],
)
def test_units_are_brought_to_run_with_their_files_as_they_are(
    tmp_path: Path, active: str, enabled: str, reload: str, changed: bool, restart: bool, acts: list[str]
) -> None:
    shown = f"LoadState=loaded\nActiveState={active}\nUnitFileState={enabled}\nNeedDaemonReload={reload}\n"
    (tmp_path / "state").write_text(shown)
    (tmp_path / "systemctl").write_text(SYSTEMCTL)
    (tmp_path / "systemctl").chmod(0o755)
    path = tmp_path / "config"
    path.write_text("old\n" if changed else "new\n")
    result = run(
        {"path": str(path), "content": "new"},
        units=[{"name": "one.service", "restart_for": [str(path)], "restart": restart}],
        path=f"{tmp_path}:{os.environ['PATH']}",
    )
    told = (tmp_path / "done").read_text().splitlines() if (tmp_path / "done").exists() else []
    assert told == acts
    assert result["units"] == (["one.service"] if [act for act in acts if "one" in act] else [])


def test_a_unit_that_does_not_start_fails_with_systemds_words(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("ActiveState=inactive\nUnitFileState=enabled\nNeedDaemonReload=no\n")
    (tmp_path / "systemctl").write_text(SYSTEMCTL)
    (tmp_path / "systemctl").chmod(0o755)
    (tmp_path / "journalctl").write_text('#!/bin/sh\necho "said: $2"\n')
    (tmp_path / "journalctl").chmod(0o755)
    (tmp_path / "refuses").touch()
    result = run(units=[{"name": "one.service"}], path=f"{tmp_path}:{os.environ['PATH']}")
    assert result["failed"] is True
    assert result["msg"] == "'systemctl start one.service' failed: Job failed.\nsaid: one.service"
