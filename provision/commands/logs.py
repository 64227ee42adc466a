"""What `mcastlab logs` does, and `up` that fails: collecting what debugging needs of hosts, cluster and provider."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from provision.core.errors import HostError, McastlabError
from provision.core.files import write_whole
from provision.hosts.remote import Remote, Remotes
from provision.pipeline.run import Run

# File name and command, on every host.
_HOST: Sequence[tuple[str, list[str]]] = (
    ("addresses", ["ip", "-d", "address"]),
    ("routes", ["ip", "route", "show", "table", "all"]),
    ("routes6", ["ip", "-6", "route", "show", "table", "all"]),
    ("memberships", ["ip", "maddress"]),
    ("igmp", ["cat", "/proc/net/igmp"]),
    ("counters", ["ip", "-s", "link"]),
    ("bridge-mdb", ["bridge", "-d", "mdb", "show"]),
    ("bridge-links", ["bridge", "-d", "link", "show"]),
    ("nftables", ["nft", "list", "ruleset"]),
    ("sysctl", ["sysctl", "-a"]),
    ("units", ["systemctl", "--no-pager", "--failed"]),
    ("journal", ["journalctl", "--no-pager", "-n", "20000"]),
    ("memory", ["cat", "/proc/meminfo"]),
    ("disk", ["df", "-h"]),
)
_KUBECTL = ["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "--request-timeout=10s"]
_OBJECTS = "nodes,namespaces,pods,daemonsets,deployments,services,endpointslices,events"
_MULTICAST = "multicastpolicies,nodemulticasts,netnamespaces"
_POLICY = ["env", "PYTHONPATH=/usr/local/lib/mcastlab", "/usr/bin/python3"]
# On the control plane only; no Secrets are read.
_CLUSTER: Sequence[tuple[str, list[str]]] = (
    ("cluster-objects", [*_KUBECTL, "get", _OBJECTS, "-A", "-o", "yaml"]),
    ("cluster-overview", [*_KUBECTL, "get", "nodes,pods", "-A", "-o", "wide"]),
    ("cluster-networks", [*_KUBECTL, "get", "network-attachment-definitions", "-A", "-o", "yaml"]),
    ("cluster-multicast", [*_KUBECTL, "get", _MULTICAST, "-o", "yaml"]),
    ("multicast-figures", [*_POLICY, "-m", "multicast_policy.figures"]),
    ("cni-config", ["grep", "-r", "", "/etc/cni/net.d", "--include=*.conflist", "--include=*.conf"]),
    ("pod-logs", ["find", "/var/log/pods", "-name", "*.log", "-exec", "tail", "-n", "500", "-v", "{}", "+"]),
)


def logs(run: Run, directory: Path) -> None:
    """Collect all that is needed to debug the lab into `directory`; raises HostError where there is nothing of it."""
    run.machines = run.provider.machines(run.lab)
    if not (run.machines or run.directory.path.exists()):
        raise HostError(f"Lab '{run.lab.name}' is not up, and has left no logs", remedy="Run `mcastlab up`")
    collect(run, directory)
    run.progress.say(f"Wrote the logs into {directory}")


def collect(run: Run, directory: Path) -> None:
    """Write into `directory` (made 0700) a file for each thing there is; a host that does not answer gets its error.

    Raises HostError when the folder cannot be made.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise HostError(
            f"The folder cannot be made: {error.strerror}", where=str(directory), remedy="Name another one"
        ) from error
    run.provider.logs(run.lab, directory)
    with Remotes(run.machines) as remotes:
        for machine in run.machines:
            commands = [*_HOST, *(_CLUSTER if machine.name == run.lab.control_plane.name else ())]
            try:
                _from_host(remotes.get(machine.name), commands, directory / machine.name)
            except McastlabError as error:
                told = run.progress.typed.completed(str(error))
                write_whole(directory / f"{machine.name}.unreachable", f"{told}\n")
    for log in run.directory.logs.glob("*.log"):
        shutil.copy2(log, directory / f"ansible-{log.name}")


def _from_host(remote: Remote, commands: Sequence[tuple[str, list[str]]], directory: Path) -> None:
    directory.mkdir(mode=0o700, exist_ok=True)
    for name, argv in commands:
        done = remote.run(argv, timeout=60, check=False)
        write_whole(directory / f"{name}.txt", done.stdout + done.stderr)
