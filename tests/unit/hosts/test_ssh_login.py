"""What `mcastlab ssh` hands to OpenSSH; tests/e2e/test_1_main_job.py logs in for real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from provision.core.errors import HostError, InputError
from provision.hosts.login import become_ssh, remote_command
from provision.hosts.machine import Machine

PROGRAM = """
import sys
from pathlib import Path
from provision.hosts.machine import Machine
from provision.hosts.login import become_ssh
folder = Path(sys.argv[1])
become_ssh(Machine("k8s", "source", "192.0.2.1", 2222, "root", folder / "key", folder / "known"), sys.argv[2:])
"""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    folder = tmp_path / "a b 100%"
    folder.mkdir()
    (folder / "key").touch()
    (folder / "known").touch()
    return Machine("k8s", "source", "192.0.2.1", 2222, "root", folder / "key", folder / "known")


def test_one_word_is_a_shells_line_and_several_are_arguments(machine: Machine) -> None:
    admin = replace(machine, user="keeper", become=True)
    assert remote_command(machine, []) == []
    assert remote_command(machine, ["echo $HOME; exit 7"]) == ["echo $HOME; exit 7"]
    assert remote_command(machine, ["echo", "$HOME", "a  b"]) == ["echo '$HOME' 'a  b'"]
    assert remote_command(admin, ["echo $HOME; exit 7"]) == ["sudo -n -- sh -c 'echo $HOME; exit 7'"]
    assert remote_command(admin, ["id", "-un"]) == ["sudo -n -- id -un"]


def test_ssh_gets_the_files_whatever_their_folder_is_called_and_its_exit_code_is_ours(
    machine: Machine, tmp_path: Path
) -> None:
    told = tmp_path / "told.json"
    (tmp_path / "bin").mkdir()
    stand_in = tmp_path / "bin" / "ssh"
    stand_in.write_text(
        f"#!{sys.executable}\nimport json, sys\njson.dump(sys.argv[1:], open({str(told)!r}, 'w'))\nsys.exit(7)\n"
    )
    stand_in.chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    argv = [sys.executable, "-c", PROGRAM, str(machine.known_hosts.parent), "ip", "address"]
    assert subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, check=False).returncode == 7
    options = json.loads(told.read_text())
    assert options[-2:] == ["root@192.0.2.1", "ip address"]
    read = subprocess.run(["ssh", "-G", *options[:-1]], capture_output=True, text=True, check=True).stdout.splitlines()
    key = str(machine.key_file).replace("%", "%%")  # which it replaces only when it opens the file
    files = {f"userknownhostsfile {machine.known_hosts}", f"identityfile {key}"}
    assert {*files, "port 2222", "stricthostkeychecking true", "identitiesonly yes"} <= set(read)
    assert "-t" not in options


@pytest.mark.parametrize(
    ("existing", "kind", "said"),
    [
        (False, HostError, "{key}: The lab's key is gone\n  remedy: `mcastlab up` makes a new one"),
        (
            True,
            InputError,
            "{key}: The key for host 'k8s' cannot be read: No such file or directory\n"
            "  remedy: Correct its path; it begins at lab.yml",
        ),
    ],
)
def test_a_key_that_is_lost_is_named(existing: bool, kind: type[Exception], said: str, machine: Machine) -> None:
    assert machine.key_file is not None
    machine.key_file.unlink()
    with pytest.raises(kind) as raised:
        become_ssh(replace(machine, existing=existing), [])
    assert str(raised.value) == said.format(key=machine.key_file)


def test_a_pin_that_is_lost_is_named(machine: Machine) -> None:
    machine.known_hosts.unlink()
    with pytest.raises(HostError) as raised:
        become_ssh(machine, [])
    assert str(raised.value) == (
        "root@192.0.2.1:2222: Host 'k8s' has no pinned host key\n"
        f"  remedy: Run `mcastlab up`, which writes it to {machine.known_hosts}"
    )
