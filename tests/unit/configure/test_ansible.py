"""What is read out of ansible-playbook's output."""

import shutil
from pathlib import Path

import pytest

from provision.configure import playbook as ansible
from provision.configure.playbook import failure, recap
from provision.core.errors import CommandError
from provision.core.paths import ROOT, StateDir

RECAP = """
PLAY RECAP *********************************************************************
k8s                        : ok=42   changed=17   unreachable=0    failed=0    skipped=3    rescued=0    ignored=0
mcastsrc                   : ok=12   changed=0    unreachable=0    failed=0    skipped=1    rescued=0    ignored=0
"""
FAILED = """
TASK [kubernetes : Start the control plane] ************************************
fatal: [k8s]: FAILED! => {"changed": true, "msg": "non-zero return code", "rc": 1, "stderr": "port 6443 is in use"}
"""
UNREACHABLE = """
TASK [node_base : Wait] ********************************************************
fatal: [mcastsrc]: UNREACHABLE! => {"changed": false, "msg": "Failed to connect", "unreachable": true}
"""


def test_the_recap_gives_ok_and_changed_per_host() -> None:
    numbers = recap(RECAP)
    assert numbers.changed == {"k8s": 17, "mcastsrc": 0}
    assert numbers.summary() == "17 changes on k8s"
    assert recap(RECAP.replace("changed=0", "changed=4")).summary() == "21 changes on k8s and mcastsrc"
    assert recap(RECAP.replace("changed=17", "changed=1")).summary() == "1 change on k8s"
    assert recap(RECAP.replace("changed=17", "changed=0")).summary() == "nothing to change on k8s and mcastsrc"


def test_output_without_a_recap_is_an_error() -> None:
    with pytest.raises(CommandError, match="without saying what it did"):
        recap("ERROR! the playbook could not be found")


@pytest.mark.parametrize(
    ("output", "problem", "detail"),
    [
        (
            FAILED,
            "Ansible task 'kubernetes : Start the control plane' failed on host 'k8s'",
            "non-zero return code\nport 6443 is in use",
        ),
        (UNREACHABLE, "Ansible task 'node_base : Wait' failed on host 'mcastsrc'", "Failed to connect"),
    ],
)
def test_a_failure_names_task_host_and_message(output: str, problem: str, detail: str) -> None:
    error = failure(output, "", "site.yml")
    assert (error.problem, error.detail) == (problem, detail)


def test_a_failure_before_any_task_shows_what_ansible_said() -> None:
    assert failure("", "ERROR! no such role", "site.yml").detail == "ERROR! no such role"


STEPS = """
- name: Steps
  hosts: all
  connection: local
  tasks:
    - {name: One, ansible.builtin.command: "true", notify: Last}
    - {name: Left out, ansible.builtin.command: "true", when: false}
    - {name: Two, ansible.builtin.command: "true"}
  handlers:
    - {name: Last, ansible.builtin.command: "true"}
"""


def test_a_task_passes_by_when_it_begins_and_is_reported_when_it_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "steps.yml").write_text(STEPS)
    shutil.copy(ROOT / "ansible.cfg", tmp_path)
    monkeypatch.setattr(ansible, "ROOT", tmp_path)
    state = StateDir(tmp_path / "state")
    state.path.mkdir()
    seen: list[str] = []
    hosts = {"all": {"hosts": {"here": {}}}}

    numbers = ansible.play("steps.yml", hosts, state, lambda task: seen.append(f"done {task}"), seen.append)
    assert seen == ["One", "done One", "Left out", "Two", "done Two", "Last", "done Last"]
    assert numbers.changed == {"here": 3}
