"""What the commands do with a lab."""

from __future__ import annotations

import json as json_module
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from provision import artifacts, attacher, pipeline
from provision.collect import collect
from provision.config import Lab
from provision.errors import ChecksFailed, HostError, InputError, McastlabError
from provision.kube import Kube
from provision.leftovers import end_leftovers
from provision.lock import lab_lock
from provision.state import RunState
from provision.ui import Progress, Verbosity, console

_NEXT = """
The lab '{name}' is up. What to type next:
  mcastlab status                      what runs
  mcastlab check                       prove again that multicast works
  mcastlab ssh k8s                     a shell on a host
  export KUBECONFIG="$(mcastlab kubeconfig)"
  mcastlab down                        remove it all"""


def up(lab: Lab, state: RunState, *, dry_run: bool, json: Path | None, junit: Path | None) -> None:
    """Bring the lab up; on failure collect the logs before the error is passed on."""
    if dry_run:
        for name, plan in pipeline.plan(lab, state):
            print(f"{name:<11} would {plan}")
        return
    progress = state.progress
    with lab_lock(state.directory, lab.name, "up"):
        choice = attacher.choose(lab)
        _end_leftovers(state)
        progress.say(f"Lab '{lab.name}': attacher {choice.name} ({choice.reason})")
        try:
            pipeline.up(lab, state)
        except InputError:
            raise
        except McastlabError as error:
            _collect_after_failure(lab, state, error)
            raise
        finally:
            state.withdraw_early()
            if state.results:
                _publish(lab, state, json, junit)
    progress.say(_NEXT.format(name=lab.name))


def _end_leftovers(state: RunState) -> None:
    if ended := end_leftovers(state.directory):
        state.progress.say(f"Ended what a killed command had left running: process {', '.join(map(str, ended))}")


def _collect_after_failure(lab: Lab, state: RunState, error: McastlabError) -> None:
    if isinstance(error, ChecksFailed) or state.machines:
        directory = state.directory.logs / time.strftime("failed-%Y%m%d-%H%M%S")
        collect(lab, state, directory)
        state.progress.say(f"Logs of this failure: {directory}")


def down(lab: Lab, state: RunState, *, dry_run: bool, yes: bool) -> None:
    """Remove what `up` made, and the state folder; from the user's own hosts only after asking, unless `yes`."""
    borrowed = state.provider.borrowed
    what = _on_hosts(lab) if borrowed else f"all containers, volumes and networks of lab '{lab.name}'"
    if dry_run:
        print(f"would remove: {what} and {state.directory.path}")
        return
    if borrowed and not yes:
        _ask(f"This removes {what}, with everything that runs in its pods.")
    directory = state.directory.path
    existed = directory.exists()
    with lab_lock(state.directory, lab.name, "down"):
        _end_leftovers(state)
        removed = state.provider.down(lab)
        shutil.rmtree(directory)
    if existed:
        removed.append(f"folder {directory}")
    if not any(directory.parent.iterdir()):
        directory.parent.rmdir()
    for item in removed or ["nothing: the lab was not up"]:
        state.progress.say(f"removed {item}")


def _on_hosts(lab: Lab) -> str:
    hosts = ", ".join(f"'{host.name}'" for host in lab.hosts)
    return f"Kubernetes, containerd and the settings of lab '{lab.name}' from the hosts {hosts}"


def _ask(what: str) -> None:
    """Raises InputError unless a person types yes."""
    if not sys.stdin.isatty():
        raise InputError(f"{what} Nobody can be asked, for there is no terminal", remedy="Repeat it with --yes")
    if input(f"{what}\nType yes to go on: ").strip().lower() != "yes":
        raise InputError("Nothing was removed", remedy="Repeat it, and type yes")


def status(lab: Lab, state: RunState, *, as_json: bool) -> None:
    """Print what the provider and the cluster know about the lab now."""
    from provision.status import gather, table

    facts = gather(lab, state)
    if as_json:
        print(json_module.dumps(facts, indent=2))
    else:
        console().print(table(facts))


def check(
    lab: Lab,
    state: RunState,
    names: Sequence[str],
    *,
    every: bool = False,
    namespace: str | None = None,
    json: Path | None,
    junit: Path | None,
) -> None:
    """Run checks on a lab that is up; raises ChecksFailed."""
    from provision.judge import judge

    named = _named(names, namespace, every=every)
    attach(lab, state)
    with lab_lock(state.directory, lab.name, "check"):
        state.results = judge(lab, state, named, every=every, namespace=namespace or "")
    _publish(lab, state, json, junit)
    failed = [result.name for result in state.results if result.status == "failed"]
    if failed:
        raise ChecksFailed(f"{len(failed)} of {len(state.results)} checks failed: {', '.join(failed)}")


def check_foreign(
    kubeconfig: Path,
    names: Sequence[str],
    verbosity: Verbosity,
    *,
    every: bool,
    namespace: str | None,
    image: str,
    json: Path | None,
    junit: Path | None,
) -> None:
    """Run the checks that a cluster of somebody else's allows; raises ChecksFailed."""
    from provision import foreign

    if junit:
        raise InputError("--junit describes a lab's run", remedy="With --kubeconfig use --json FILE")
    named = _named(names, namespace, every=every)
    kube = _cluster(kubeconfig, None)
    progress = Progress(console(stderr=True), verbosity)
    foreign.check(kube, named, progress, every=every, namespace=namespace or "", image=image, json=json)


def _named(names: Sequence[str], namespace: str | None, *, every: bool) -> Sequence[str]:
    """The checks to run: where a namespace is named, the one that proves it there.

    Raises InputError or Problems for unknown names, and for what cannot be wished for together.
    """
    from provision.checks import select

    select(names)
    if every and (names or namespace is not None):
        raise InputError("--all runs every check there is", remedy="Leave out the names and --namespace, or --all")
    if namespace is None:
        return names
    proof = ["pod-to-pod-namespace"]
    if names and list(names) != proof:
        raise InputError(f"--namespace is for the check '{proof[0]}' alone", remedy="Leave out the other names")
    if not namespace:
        raise InputError("--namespace names no namespace", remedy="Name one: --namespace NAME")
    return proof


def attach(lab: Lab, state: RunState) -> None:
    """Find the running lab again: its machines and artifacts; raises HostError when it is not up."""
    state.machines = state.provider.machines(lab)
    missing = {host.name for host in lab.hosts} - {machine.name for machine in state.machines}
    if missing or not state.directory.kubeconfig.exists():
        raise HostError(
            f"Lab '{lab.name}' is not up" + (f": no running host {', '.join(sorted(missing))}" if missing else ""),
            remedy="Run `mcastlab up`",
        )
    state.bundle = artifacts.ensure(state.progress.report)


def list_checks() -> None:
    """Print each check and what it proves."""
    from provision.checks import CHECKS

    table = Table(box=None, header_style="bold")
    for heading in ("check", "group", "with `up`", "what it proves"):
        table.add_column(heading)
    for item in CHECKS:
        table.add_row(item.name, item.group, "yes" if item.usual else "", item.summary)
    console().print(table)


def render(lab: Lab, what: str | None) -> None:
    """Print one kind of manifest or config, or all."""
    from provision.render import KINDS
    from provision.render import render as rendered

    for kind in [what] if what else KINDS:
        sys.stdout.write(rendered(kind, lab))


def ssh(lab: Lab, state: RunState, host: str, command: Sequence[str]) -> int:
    """Run `ssh` to a host of the lab, in the foreground; return its exit code."""
    import shlex
    import subprocess

    if host not in (names := [entry.name for entry in lab.hosts]):
        raise InputError(f"The lab has no host '{host}'", remedy=f"Its hosts: {', '.join(names)}")
    state.machines = state.provider.machines(lab)
    machine = state.machine(host)
    argv = ["ssh", "-p", str(machine.port), "-o", "StrictHostKeyChecking=yes", "-o", "LogLevel=ERROR"]
    argv += ["-o", f"UserKnownHostsFile={machine.known_hosts}"]
    if machine.key_file:
        argv += ["-i", str(machine.key_file), "-o", "IdentitiesOnly=yes"]
    if command and machine.become:  # as on all other hosts, a command is root's
        command = ["sudo", "-n", "--", *command]
    argv += [f"{machine.user}@{machine.address}"] + ([shlex.join(command)] if command else [])
    return subprocess.run(argv, check=False).returncode  # the terminal is the user's: no capture, no time limit


def kubeconfig(state: RunState) -> str:
    """The path of the lab's kubeconfig; raises HostError when there is none yet."""
    path = state.directory.kubeconfig
    if not path.exists():
        raise HostError("There is no kubeconfig yet", where=str(path), remedy="Run `mcastlab up`")
    return str(path)


def logs(lab: Lab, state: RunState, directory: Path) -> None:
    """Collect all that is needed to debug the lab into `directory`."""
    state.machines = state.provider.machines(lab)
    collect(lab, state, directory)
    state.progress.say(f"written to {directory}")


def multicast_switch(
    verb: str, names: Sequence[str], kubeconfig: Path | None, lab_file: Path | None, *, as_json: bool
) -> None:
    """`enable` or `disable` multicast for namespaces of the lab's cluster, or of that of `kubeconfig`."""
    from provision.multicast import command

    command.switch(_cluster(kubeconfig, lab_file), verb, names, as_json=as_json)


def multicast_status(names: Sequence[str], kubeconfig: Path | None, lab_file: Path | None, *, as_json: bool) -> None:
    """Print how namespaces stand."""
    from provision.multicast import command

    command.show_status(_cluster(kubeconfig, lab_file), names, as_json=as_json)


def _cluster(kubeconfig: Path | None, lab_file: Path | None) -> Kube:
    """The cluster that is meant; no lab.yml is read where a kubeconfig is named."""
    from provision.multicast.command import cluster
    from provision.session import open_lab

    return cluster(kubeconfig, lambda: open_lab(lab_file)[1].directory.kubeconfig)


def demo_discovery(namespace: str, kubeconfig: Path | None, lab_file: Path | None, image: str, *, watch: bool) -> None:
    """Deploy the discovery demo, tell its story, and remove it."""
    from provision.demo import discovery

    reference = image or artifacts.document()["images"]["discovery"]
    discovery.run(_cluster(kubeconfig, lab_file), reference, namespace, watch=watch)


def artifacts_build(verbosity: Verbosity, *, with_box: bool = False) -> None:
    """Make what is not in the cache yet, with a Vagrant box if asked, and print where it is."""
    progress = Progress(console(stderr=True), verbosity)
    if with_box:
        from provision.artifacts import box

        with progress.stage("box") as line:
            made = box.ensure(progress.report)
            line.summary = made.name
        print(made.file)
        return
    with progress.stage("artifacts") as line:
        bundle = artifacts.ensure(progress.report)
        line.summary = f"{bundle.source}: {bundle.reason}"
    print(bundle.path)


def artifacts_import(archive: Path, kind: str) -> None:
    """Import an image's archive and print what it is called from now on."""
    progress = Progress(console(stderr=True), Verbosity.NORMAL)
    with progress.stage("import") as line:
        image = artifacts.import_archive(archive, kind, progress.report)
        line.summary = f"{image.origin}, kept as {image.reference}"


def artifacts_fetch(kind: str) -> None:
    """Pull an image and print what it is called from now on."""
    progress = Progress(console(stderr=True), Verbosity.NORMAL)
    with progress.stage("fetch") as line:
        image = artifacts.fetch(kind, progress.report)
        line.summary = f"{image.origin}, kept as {image.reference}"


def artifacts_image(role: str) -> None:
    """Print an image's reference; raises InputError for one that there is not."""
    images: dict[str, str] = artifacts.document()["images"]
    if role not in images:
        raise InputError(f"There is no image '{role}'", remedy=f"Images: {', '.join(sorted(images))}")
    print(images[role])


def artifacts_list() -> None:
    """Print each component with its version and place."""
    table = Table(box=None, header_style="bold")
    for column in ("component", "version", "state"):
        table.add_column(column)
    for row in artifacts.listing():
        table.add_row(*row)
    console().print(table)


def _publish(lab: Lab, state: RunState, json: Path | None, junit: Path | None) -> None:
    """Print the report as a table and write it where the user wants it."""
    from provision.report import make_report, table, write_json, write_junit

    report = make_report(lab, state)
    state.progress.say(table(report))
    state.directory.reports.mkdir(mode=0o700, exist_ok=True)
    write_json(report, state.directory.reports / "last.json")
    if json:
        write_json(report, json)
    if junit:
        write_junit(report, junit)
