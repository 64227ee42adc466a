"""The modules as playbooks reach them: by their actions, which run their code without Ansible's on the host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from provision.core.paths import ROOT

BIN = Path(sys.executable).parent


def ansible(module: str, arguments: dict[str, Any], *options: str, path: str = "") -> dict[str, Any]:
    """The result of one module on this machine."""
    done = subprocess.run(
        [BIN / "ansible", "localhost", "-c", "local", "-m", module, "-a", json.dumps(arguments), *options],
        env={
            **os.environ,
            "PATH": f"{path}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    said, _, shown = done.stdout.partition(" => ")
    return {**json.loads(shown), "failed": said.endswith("FAILED!")}


def test_the_action_does_what_the_module_does(tmp_path: Path) -> None:
    wanted = {"files": [{"path": str(tmp_path / "a"), "content": 'it\'s \\ "x"\u00e4'}], "ask": {"who": ["echo", "I"]}}
    assert ansible("host_files", wanted, "--check")["paths"] == [str(tmp_path / "a")]
    assert not (tmp_path / "a").exists()
    first = ansible("host_files", wanted)
    assert (first["changed"], first["said"]["who"]["stdout"]) == (True, "I\n")
    assert (tmp_path / "a").read_text() == 'it\'s \\ "x"\u00e4\n'
    assert ansible("host_files", wanted)["changed"] is False


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"fils": []}, "Unsupported parameters for"),
        ({"files": [{"path": "/x"}]}, "one of the following is required: content, base64, source"),
        ({"files": [{"path": "/proc/none/x", "content": ""}]}, "'/proc/none/x' cannot be written: "),
    ],
)
def test_what_is_wrong_is_said(arguments: dict[str, Any], problem: str) -> None:
    result = ansible("host_files", arguments)
    assert result["failed"] is True
    assert problem in result["msg"]


def python(folder: Path, script: str) -> str:
    (folder / "python").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "python").chmod(0o755)
    return f"ansible_python_interpreter={folder}/python"


def test_what_a_login_shell_says_before_is_no_result(tmp_path: Path) -> None:
    noisy = python(tmp_path, 'echo "Welcome to {this} host"; exec python3 "$@"')
    assert ansible("host_files", {"look": ["/etc"]}, "-e", noisy)["found"] == {"/etc": ""}


def test_a_host_without_python_is_named_as_that(tmp_path: Path) -> None:
    absent = python(tmp_path, "echo 'python: not found' >&2; exit 127")
    result = ansible("host_files", {"look": ["/etc"]}, "-e", absent)
    assert result["failed"] is True
    assert result["msg"] == "The host's Python did not get through the module: python: not found"
    assert result["rc"] == 127


# A kubectl that answers as the files beside it say, and notes what it was told.
KUBECTL = """#!/bin/sh
here=$(dirname "$0")
case "$*" in *" diff "*) verb=diff ;; *) verb=apply ;; esac
echo "$verb $(cat)" >>"$here/told"
cat "$here/$verb.out" 2>/dev/null
cat "$here/$verb.err" >&2 2>/dev/null
exit "$(cat "$here/$verb" 2>/dev/null || echo 0)"
"""


@pytest.mark.parametrize(
    ("diff", "apply", "check", "changed", "told"),
    [
        (0, 0, False, False, ["diff kind: A"]),
        (1, 0, False, True, ["diff kind: A", "apply kind: A"]),
        (1, 0, True, True, ["diff kind: A"]),
        (2, 0, False, True, ["diff kind: A", "apply kind: A"]),  # of a kind that these very manifests define
    ],
)
def test_objects_are_applied_only_where_they_differ(
    tmp_path: Path, diff: int, apply: int, check: bool, changed: bool, told: list[str]
) -> None:
    fake(tmp_path, diff=diff, apply=apply)
    (tmp_path / "apply.out").write_text("a serverside-applied\n")
    options = ["--check"] if check else []
    result = objects(tmp_path, *options)
    assert (result["changed"], (tmp_path / "told").read_text().splitlines()) == (changed, told)
    assert result["applied"] == (["a serverside-applied"] if "apply kind: A" in told else [])


@pytest.mark.parametrize(("check", "rc"), [(False, 1), (True, 2)])
def test_what_the_api_server_refuses_fails_with_its_words(tmp_path: Path, check: bool, rc: int) -> None:
    fake(tmp_path, diff=rc, apply=1)
    for verb in ("diff", "apply"):
        (tmp_path / f"{verb}.err").write_text("The A is invalid\n")
    result = objects(tmp_path, *(["--check"] if check else []))
    assert (result["failed"], result["msg"]) == (True, "The A is invalid")


def fake(folder: Path, *, diff: int, apply: int) -> None:
    (folder / "kubectl").write_text(KUBECTL)
    (folder / "kubectl").chmod(0o755)
    (folder / "diff").write_text(str(diff))
    (folder / "apply").write_text(str(apply))


def objects(folder: Path, *options: str) -> dict[str, Any]:
    return ansible("cluster_objects", {"manifests": "kind: A", "kubeconfig": "/k"}, *options, path=str(folder))
