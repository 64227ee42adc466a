"""One ansible-playbook run: its progress, its recap as numbers, and its failure as an error that names the task."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provision.core.errors import CommandError, HostError
from provision.core.files import write_whole
from provision.core.leftovers import end_leftovers, mark
from provision.core.paths import ROOT, StateDir, cache_dir
from provision.core.run import run
from provision.core.text import Say

_RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)")
_TASK = re.compile(r"^(?:TASK|RUNNING HANDLER) \[(.+?)\]")
_STARTED = re.compile(r"^ \[started (?:TASK|HANDLER): (.+) on \S+\]$")
_FATAL = re.compile(r"^(?:fatal|failed): \[([^\]]+)\][^=]*=> (\{.*\})", re.MULTILINE)
_TIMEOUT_SECONDS = 3600.0  # an emulated machine takes ten times as long as a container


@dataclass(frozen=True)
class Recap:
    """Per host: tasks that were ok and tasks that changed something."""

    ok: Mapping[str, int]
    changed: Mapping[str, int]

    @property
    def changed_anything(self) -> bool:
        return any(self.changed.values())

    def summary(self) -> str:
        """How much was changed and where, or that nothing was."""
        total = sum(self.changed.values())
        if not total:
            return f"nothing to change on {_listed(self.ok)}"
        changed = [host for host, count in self.changed.items() if count]
        return f"{total} change{'s' if total > 1 else ''} on {_listed(changed)}"


def _listed(hosts: Iterable[str]) -> str:
    """Names as a sentence has them."""
    *first, last = hosts
    return f"{', '.join(first)} and {last}" if first else last


def play(
    playbook: str,
    inventory: Mapping[str, Any],
    state: StateDir,
    report: Say,
    now: Say = lambda _task: None,
) -> Recap:
    """Run playbooks/`playbook` on `inventory`; the whole output goes to the lab's logs.

    `report` gets each task that was not skipped, once a host is through with it; only then does Ansible know that.
    `now` gets each task when it begins.

    Raises HostError naming the task, the host and the module's message when a task fails.
    """
    write_whole(state.inventory, json.dumps(inventory, indent=2) + "\n")
    state.logs.mkdir(mode=0o700, exist_ok=True)
    log: list[str] = []
    started = time.monotonic()

    def line(text: str) -> None:
        log.append(f"{time.monotonic() - started:7.2f} {text}")  # the log tells where the seconds go
        if task := _TASK.match(text):
            report(task[1])
        elif begun := _STARTED.match(text):
            now(begun[1])

    argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(state.inventory)]
    try:
        done = run(
            [*argv, str(ROOT / "playbooks" / playbook)],
            timeout=_TIMEOUT_SECONDS,
            env={
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_HOME": str(cache_dir() / "ansible"),  # not ~/.ansible; short, as a socket's path has to be
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_SHOW_PER_HOST_START": "1",
                **mark(state),
            },
            cwd=ROOT,
            check=False,
            on_line=line,
        )
    finally:
        end_leftovers(state)  # its SSH connections, which would wait a minute for another run
        write_whole(state.logs / playbook.replace(".yml", ".log"), "\n".join(log) + "\n")
    if done.returncode != 0:
        raise failure(done.stdout, done.stderr, playbook)
    return recap(done.stdout)


def recap(output: str) -> Recap:
    """The numbers of PLAY RECAP in the output of ansible-playbook; raises CommandError when it has none."""
    rows = [match for line in output.splitlines() if (match := _RECAP.match(line))]
    if not rows:
        raise CommandError(
            "Ansible ended without saying what it did",
            detail=output[-2000:],
            remedy="Run `mcastlab up` again: it goes on from here",
        )
    return Recap({row[1]: int(row[2]) for row in rows}, {row[1]: int(row[3]) for row in rows})


def failure(stdout: str, stderr: str, playbook: str) -> HostError:
    """The first failed task of an ansible-playbook run, as an error with the module's own message."""
    task = ""
    for line in stdout.splitlines():
        if named := _TASK.match(line):
            task = named[1]
        if fatal := _FATAL.match(line):
            return HostError(
                f"Ansible task '{task}' failed on host '{fatal[1]}'",
                where=f"playbooks/{playbook}",
                detail=_message(fatal[2]),
                remedy="`mcastlab up` goes on from here once the cause is mended",
            )
    return HostError(
        "Ansible failed before its first task",
        where=f"playbooks/{playbook}",
        detail=(stderr or stdout)[-3000:],
        remedy="Mend what it says; `mcastlab up` goes on from here",
    )


def _message(result: str) -> str:
    try:
        values = json.loads(result)
    except json.JSONDecodeError:
        return result[:2000]
    parts = [str(values[key]).strip() for key in ("msg", "stderr", "stdout") if values.get(key)]
    return "\n".join(part[-2000:] for part in parts)
