"""Whether a kernel takes the policy's programs: asked of this one, and who is told when it does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from provision import config
from provision.config import Lab
from provision.core.errors import McastlabError
from provision.core.paths import ROOT
from provision.core.run import Completed
from provision.providers import programs
from provision.providers.podman import preflight as podman_preflight

SOURCE = programs.SOURCE.read_text()
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace")


def ask(*prefix: str, source: str = SOURCE) -> tuple[int, str]:
    """Exit code and standard error of the probe in a network namespace of its own."""
    argv = ["unshare", "--net", *prefix, sys.executable, "-I", "-S", "-c", source]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


@needs_root
def test_this_kernel_takes_them() -> None:
    assert ask() == (0, "")
    # Kernels before 6.6 know no tcx.
    assert ask(source=SOURCE.replace("_TCX_INGRESS = 5, 8, 3, 46", "_TCX_INGRESS = 5, 8, 3, 9999")) == (0, "")


@needs_root
def test_what_is_refused_is_told_and_by_whom() -> None:
    rights = "--bounding-set=-bpf,-net_admin,-perfmon,-sys_admin"
    assert ask("setpriv", rights) == (1, "bpf(): Operation not permitted\n")
    neither = SOURCE.replace("_TCX_INGRESS = 5, 8, 3, 46", "_TCX_INGRESS = 5, 8, 3, 9999").replace('"clsact"', '"none"')
    code, said = ask(source=neither)
    assert code == 1
    assert said.startswith("tcx: Invalid argument; tc qdisc add dev lo none: ")


@needs_root
def test_a_host_tells_it_among_its_facts() -> None:
    probe, claim = ROOT / "agents/hostprobe/hostprobe.py", ROOT / "plugins/module_utils/host_holder.py"

    def facts(source: str) -> Any:
        argv = [sys.executable, "-I", "-S", "-c", probe.read_text(), claim.read_text(), "none", "no", source]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
        return json.loads(done.stdout)["programs"]

    assert facts(SOURCE) == ""
    assert facts("import sys; sys.exit('bpf(): No')") == "bpf(): No"
    assert facts("import sys; sys.exit(3)") == "exit code 3"


def lab(*namespaces: str) -> Lab:
    found = config.load(None)
    return found.model_copy(update={"multicast": found.multicast.model_copy(update={"namespaces": namespaces})})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What was run as root on this machine, whose kernel refuses."""
    commands: list[list[str]] = []

    def run(argv: list[str], **_options: object) -> Completed:
        commands.append(argv)
        return Completed(tuple(argv), 1, "", "bpf(): Operation not permitted\n", 0.1)

    monkeypatch.setattr(podman_preflight, "run", run)
    monkeypatch.setattr(podman_preflight, "as_root", lambda argv: argv)
    return commands


def told(lab: Lab) -> list[McastlabError]:
    return list(podman_preflight._programs(lab))


def test_containers_here_are_refused_only_where_namespaces_are_listed(asked: list[list[str]]) -> None:
    assert told(lab()) == []
    assert asked == []
    (problem,) = told(lab("app"))
    assert str(problem) == (
        "lab.yml: multicast.namespaces: This machine's kernel takes no programs (eBPF) at interfaces, without which"
        " namespaces are not kept apart\n"
        "  | bpf(): Operation not permitted\n"
        "  remedy: Leave `multicast.namespaces` empty, or use a kernel, and a container around it, that allows bpf()"
    )
    assert asked == [["unshare", "--net", sys.executable, "-I", "-S", str(programs.SOURCE)]]


def test_it_is_one_of_the_questions_for_containers() -> None:
    probes: Any = podman_preflight._for_containers(lab("app"), frozenset())
    assert any("_programs" in probe.__code__.co_names for probe in probes)
