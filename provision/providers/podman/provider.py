"""Systemd containers by Podman as hosts: one interface for management, one on the multicast LAN."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

from provision.config import Host, Lab
from provision.core import labels as label
from provision.core.errors import HostError, InputError, McastlabError
from provision.core.files import read_whole, write_whole
from provision.core.paths import BUNDLE_DIR, StateDir, cache_dir
from provision.core.text import Say
from provision.hosts.facts import NodeFacts
from provision.hosts.machine import Machine
from provision.providers.base import MachineStatus
from provision.providers.podman import image as podman_image
from provision.providers.podman.cli import Podman, bridge_name, mac_address
from provision.providers.podman.image import NodeImage
from provision.providers.podman.keys import hand_over, make_key
from provision.providers.podman.lan import ANNOTATION, LanPorts, network_args, set_snooping
from provision.providers.podman.places import ManagementNetwork, numbers
from provision.providers.podman.preflight import problems

# With cgroup version 1, Podman puts this machine's whole systemd hierarchy over the container's own part of it, and the
# systemd of every node would take the root of it for its own and remove the others' groups. Below lies the right one.
INIT_V1 = "umount /sys/fs/cgroup/systemd/release_agent /sys/fs/cgroup/systemd && exec /sbin/init"


class PodmanProvider:
    """Implements the provider contract; what belongs to a lab is found again by its label."""

    name = "podman"
    existing = False

    def __init__(self, lab: Lab, state: StateDir, podman: Podman | None = None, *, prepared: bool = True) -> None:
        """With `prepared`, nodes start from an image that the roles have been at."""
        self.state = state
        self.podman = self.images = podman or Podman()
        self.prepared = prepared
        self.prefix = f"mcastlab-{lab.name}"
        self._ports = LanPorts(self.podman, f"{self.prefix}-lan")

    @classmethod
    def image_maker(cls, podman: Podman) -> PodmanProvider:
        """Makes the node that becomes the image of others (`image`)."""
        return cls(podman_image.image_lab(), StateDir(cache_dir() / "tmp" / "node-image"), podman, prepared=False)

    def preflight(self, lab: Lab) -> list[McastlabError]:
        return problems(lab, self)

    def up(self, lab: Lab, node_image: str, bundle: Path, report: Say) -> list[Machine]:
        """Raises HostError or CommandError naming the host that does not come up."""
        self.state.make()
        make_key(self.state.key, self.prefix)
        for network in ("mgmt", "lan"):
            self.podman.ensure_network(f"{self.prefix}-{network}", network_args(lab, network, label.LAB))
        known = self.containers(lab)
        self._ports.describe(lab, self.container)

        places = self._places(lab, known)
        new_nodes = [host for host in lab.nodes if self.container(host) not in known]
        image = self._image(node_image, bundle, report) if self.prepared and new_nodes else None

        public = read_whole(self.state.key.with_suffix(".pub"), "Remove it: `mcastlab up` makes the lab another key")

        def start(host: Host) -> str:
            report(f"Host '{host.name}' is starting")
            found = known.get(self.container(host))
            if found is None:
                own = image if host.carries_pods else None
                self._make_container(lab, host, places[host.name], node_image, bundle, own)
            else:
                self._ensure_running(lab, host, found, bundle)
            return hand_over(self.podman, self.container(host), public)

        with ThreadPoolExecutor(len(lab.hosts)) as pool:
            keys = list(pool.map(start, lab.hosts))
        set_snooping(bridge_name(f"{self.prefix}-lan"), lab.lan)
        self._ports.guard([self.container(host) for host in lab.hosts], known)
        machines = [self._machine(host, places[host.name]) for host in lab.hosts]
        pins = [f"{machine.address} {key}\n" for machine, key in zip(machines, keys, strict=True)]
        write_whole(self.state.known_hosts, "".join(pins))
        return machines

    def machines(self, lab: Lab) -> list[Machine]:
        return [row.machine for row in self.status(lab) if row.machine]

    def status(self, lab: Lab) -> list[MachineStatus]:
        found = self.containers(lab)
        running = [host for host in lab.hosts if found.get(self.container(host), {}).get("State") == "running"]
        places = self._places(lab, found) if running else {}
        rows = []
        for host in lab.hosts:
            item = found.get(self.container(host), {"State": "absent", "Status": ""})
            machine = self._machine(host, places[host.name]) if host in running else None
            rows.append(MachineStatus(host.name, item["State"], item["Status"], machine))
        return rows

    def left(self, lab: Lab) -> list[str]:
        mine = {self.container(host) for host in lab.hosts}
        return [name.removeprefix(f"{self.prefix}-") for name in sorted({*self.containers(lab)} - mine)]

    def remove(self, lab: Lab, names: Sequence[str]) -> None:
        containers = [f"{self.prefix}-{name}" for name in names]
        self.podman.remove_containers(containers)
        self.podman.run(["volume", "rm", "--force", *map(_volume, containers)], timeout=120)

    def down(self, lab: Lab) -> list[str]:
        self.containers(lab)  # refuses a lab of another folder
        removed: list[str] = []
        filters = ["--filter", f"label={label.LAB}={lab.name}"]
        for kind, listing in (
            ("container", ["ps", "-a", "--format", "{{.Names}}"]),
            ("volume", ["volume", "ls", "--format", "{{.Name}}"]),
            ("network", ["network", "ls", "--format", "{{.Name}}"]),
        ):
            names = self.podman.run([*listing, *filters]).stdout.split()
            if names and kind == "container":
                self.podman.remove_containers(names)
            elif names:
                self.podman.run([kind, "rm", "--force", *names], timeout=120)
            removed += [f"{kind} {name}" for name in names]
        removed += self._ports.forget()
        if self.prepared:
            podman_image.sweep(self.image_maker(self.podman))
            self.podman.release()
        return removed

    def logs(self, lab: Lab, directory: Path) -> None:
        for name in self.containers(lab):
            for suffix, args in (
                ("console.log", ["logs", name]),
                ("inspect.json", ["inspect", name]),
                ("journal.log", ["exec", name, "journalctl", "--no-pager", "-n", "5000"]),
            ):
                done = self.podman.run(args, check=False, timeout=60)
                write_whole(directory / f"{name}.{suffix}", done.stdout + done.stderr)

    def container(self, host: Host) -> str:
        return f"{self.prefix}-{host.name}"

    def volume(self, host: Host) -> str:
        """The volume of the host's containerd."""
        return _volume(self.container(host))

    def containers(self, lab: Lab) -> dict[str, dict[str, Any]]:
        """The lab's containers by name, as `podman ps` describes them; raises InputError on somebody else's lab."""
        output = self.podman.run(["ps", "-a", "--filter", f"label={label.LAB}={lab.name}", "--format", "json"]).stdout
        found = {item["Names"][0]: item for item in json.loads(output or "[]")}
        folder = str(self.state.path)
        for item in found.values():
            if item["Labels"].get(label.FOLDER, folder) != folder:
                raise InputError(
                    f"A lab named '{lab.name}' is already up from another folder: '{item['Labels'][label.FOLDER]}'",
                    remedy="Give this lab another `name` and subnets in lab.yml, or run"
                    " `mcastlab down --lab FILE` with its own file there",
                )
        return found

    def bridges(self) -> frozenset[str]:
        """The names of the lab's bridges on this machine, whether they are there or not."""
        return frozenset(bridge_name(f"{self.prefix}-{kind}") for kind in ("mgmt", "lan"))

    def node_facts(self) -> NodeFacts:
        """What the roles must know of the kernel under these hosts."""
        kernel = self.podman.facts
        return NodeFacts(
            in_container=True,
            from_image=True,
            cgroup_version=kernel.cgroup_version,
            sys_resource=kernel.sys_resource,
        )

    def _image(self, base: str, bundle: Path, report: Say) -> NodeImage:
        return podman_image.ensure(self.image_maker(self.podman), base, bundle, report)

    def _make_container(
        self, lab: Lab, host: Host, place: int, base: str, bundle: Path, image: NodeImage | None
    ) -> None:
        """With `image` from that and its volume, else from the image `base` and an empty volume."""
        volume = self.volume(host)
        self.podman.run(["volume", "rm", "--force", volume])  # of a run that was killed before it came to the container
        self.podman.run(["volume", "create", "--label", f"{label.LAB}={lab.name}", volume])
        if image:
            podman_image.seed(self.podman, image, volume)
        self.podman.run(self._run_args(lab, host, place, image.image if image else base, bundle), timeout=120)

    def _ensure_running(self, lab: Lab, host: Host, found: dict[str, Any], bundle: Path) -> None:
        settings = _settings(lab, host)
        if found["Labels"].get(label.SETTINGS) != settings:
            raise InputError(
                f"Host '{host.name}' runs with other settings ({found['Labels'].get(label.SETTINGS)}) than"
                f" lab.yml now gives ({settings})",
                remedy="Run `mcastlab down`, then `mcastlab up`",
            )
        if (made_from := found["Labels"].get(label.BUNDLE)) != bundle.name:
            raise HostError(
                f"Host '{host.name}' was made from bundle '{made_from}', and the artifacts are now '{bundle.name}'",
                remedy="Run `mcastlab down`, then `mcastlab up`",
            )
        if found["State"] == "paused":
            self.podman.run(["unpause", self.container(host)])
        elif found["State"] != "running":
            self.podman.run(["start", self.container(host)], timeout=120)

    def _run_args(self, lab: Lab, host: Host, place: int, image: str, bundle: Path) -> list[str]:
        name = self.container(host)
        lan = f"{self.prefix}-lan:interface_name={lab.lan.interface},ip={host.address},mac={mac_address(name, 'lan')}"
        if lab.dual_stack and host.address6:
            lan += f",ip6={host.address6}"
        labels = {label.LAB: lab.name, label.FOLDER: str(self.state.path), label.SETTINGS: _settings(lab, host)}
        labels |= {label.BUNDLE: bundle.name, label.PLACE: str(place)}
        args = ["run", "-d", "--name", name, "--hostname", host.name, "--privileged", "--systemd=always"]
        # Without a cgroup namespace kubelet sees the paths of this machine; the default of 2048 processes
        # would be shared by every pod of the node.
        args += ["--cgroupns=private", "--pids-limit=-1"]
        args += [f"--label={key}={value}" for key, value in labels.items()]
        args.append(f"--annotation={ANNOTATION}={self._ports.file(name)}")
        own = self._management.at(place)
        management = f"{self.prefix}-mgmt:interface_name={own.interface},ip={own.address}"
        management += f",mac={mac_address(name, 'mgmt')}" + (f",ip6={own.address6}" if own.address6 else "")
        args += ["--network", management, "--network", lan]
        # Podman writes /etc/hosts anew at every start.
        args += [f"--add-host={other.name}:{other.address}" for other in lab.hosts if other != host]
        # An overlay file system cannot be the upper layer of another: containerd needs a real folder.
        args += ["-v", f"{self.volume(host)}:/var/lib/containerd", "-v", f"{bundle}:{BUNDLE_DIR}:ro"]
        if Path("/lib/modules").is_dir():
            args += ["-v", "/lib/modules:/lib/modules:ro"]
        init = ["sh", "-c", INIT_V1] if self.podman.facts.cgroup_version == 1 else ["/sbin/init"]
        return [*args, image, *init]

    @cached_property
    def _management(self) -> ManagementNetwork:
        return ManagementNetwork(self.podman, f"{self.prefix}-mgmt")

    def _places(self, lab: Lab, known: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
        return numbers(lab.hosts, {name.removeprefix(f"{self.prefix}-"): item for name, item in known.items()})

    def _machine(self, host: Host, place: int) -> Machine:
        """The SSH endpoint of `host`: its address is fixed, so that a restart cannot swap two hosts."""
        own = self._management.at(place)
        keys = (self.state.key, self.state.known_hosts)
        return Machine(host.name, host.role, own.address, 22, "root", *keys, management=own)


def _volume(container: str) -> str:
    return f"{container}-containerd"


def _settings(lab: Lab, host: Host) -> str:
    """What a container is made with and keeps, to be compared with what lab.yml says later."""
    lan = f"{host.address} {host.address6} {lab.lan.subnet} {lab.lan.subnet6} {lab.lan.interface}"
    return f"{host.role} {lan} {' '.join(lab.ip_families)}"


def make(lab: Lab, directory: StateDir) -> PodmanProvider:
    """The provider of lab.yml's `provider: podman`."""
    return PodmanProvider(lab, directory)
