"""A node and its pods as network namespaces, and netattach called as containerd calls it."""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from netattach_api import ApiServer

from agents.netattach.kubeconfig import render

NETWORKS = "k8s.v1.cni.cncf.io/networks"
_numbers = itertools.count(1)


def ip(*argv: str) -> str:
    """Output of iproute2's `ip`."""
    return subprocess.run(["ip", *argv], check=True, capture_output=True, text=True, timeout=20).stdout


def until(what: str, probe: Callable[[], object], seconds: float = 20, every: float = 0.02) -> None:
    """Wait for `probe` to be true; a time-out is a failure."""
    deadline = time.monotonic() + seconds
    while not probe():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(every)


class Answer:
    """What a call gave: exit status, the JSON it printed, standard error."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status = status
        self.json: Any = json.loads(out) if out.strip() else None
        self.err = err

    def good(self) -> Any:
        """The result of a call that must have succeeded."""
        assert self.status == 0, f"status {self.status}: {self.json} {self.err}"
        return self.json

    def bad(self, code: int) -> str:
        """Message and details of a call that must have failed with `code`."""
        assert self.status != 0, f"succeeded: {self.json}"
        assert self.json["code"] == code, f"{self.json} {self.err}"
        assert self.json["cniVersion"] == "1.1.0"
        return f"{self.json['msg']} {self.json.get('details', '')}"


class Pod:
    """A pod sandbox: its network namespace and the identity that the runtime hands over."""

    def __init__(self, prefix: str, networks: str | None, namespace: str) -> None:
        number = next(_numbers)
        self.netns = f"{prefix}p{number}"
        self.namespace = namespace
        self.name = f"pod-{number}"
        self.uid = str(uuid.uuid4())
        self.id = uuid.uuid4().hex * 2
        self.annotations = {} if networks is None else {NETWORKS: networks}
        ip("netns", "add", self.netns)

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def path(self) -> str:
        return f"/run/netns/{self.netns}"

    def links(self) -> dict[str, dict[str, Any]]:
        """The pod's interfaces by name, without `lo`."""
        found = json.loads(ip("-n", self.netns, "-j", "-d", "addr"))
        return {link["ifname"]: link for link in found if link["ifname"] != "lo"}

    def addresses(self, ifname: str) -> list[str]:
        """Global addresses of an interface."""
        return [a["local"] for a in self.links()[ifname]["addr_info"] if a["scope"] == "global"]

    def default_routes(self, family: str = "-4") -> list[tuple[str, str]]:
        """(gateway, interface) of each default route, best first."""
        found = json.loads(ip("-n", self.netns, "-j", family, "route", "show", "default"))
        return [(route["gateway"], route["dev"]) for route in sorted(found, key=lambda r: r.get("metric", 0))]


class Node:
    """A network namespace with `eth1` on a LAN, the pod network's configuration, and netattach's."""

    def __init__(self, folder: Path, executable: Path, cni_bin: Path) -> None:
        self.folder = folder
        self.executable = executable
        self.cni_bin = cni_bin
        self.prefix = f"na{os.getpid()}-{next(_numbers)}"
        self.netns = f"{self.prefix}n"
        self.pods: list[Pod] = []
        self.net_d = folder / "net.d"
        self.cache = folder / "cache"
        self.results = folder / "results"
        self.leases_dir = folder / "leases"
        self.state = folder / "cni"
        for path in (self.net_d, self.results, self.state):
            path.mkdir()
        # `ip netns exec` gives the call mounts of its own: what plug-ins keep in their usual place is this node's.
        Path("/var/lib/cni").mkdir(parents=True, exist_ok=True)
        self._own_state = f'mount --bind {self.state} /var/lib/cni && exec "$0"'
        ip("netns", "add", self.netns)
        ip("-n", self.netns, "link", "set", "lo", "up")
        ip("-n", self.netns, "link", "add", "eth1", "type", "veth", "peer", "name", "lan")
        for link in ("eth1", "lan"):
            ip("-n", self.netns, "link", "set", link, "up")
        self.api = ApiServer(folder, Path("/run/netns") / self.netns)
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_bytes(render(self.api.address, self.api.ca, self.api.token))
        self.default_path = self.net_d / "10-pods.conflist"
        self.write_default()
        self.settings: dict[str, Any] = {
            "defaultNetwork": str(self.default_path), "confDir": str(self.net_d), "binDirs": [str(cni_bin)],
            "kubeconfig": str(self.kubeconfig), "cacheDir": str(self.cache), "runtimeCacheDir": str(self.results),
            "tenants": str(folder / "tenants.json"), "poolsKubeconfig": str(folder / "none"),
            "apiTimeoutSeconds": 5, "delegateTimeoutSeconds": 30,
        }  # fmt: skip

    def write_default(self, version: str = "1.0.0") -> None:
        """The conflist that role pod_network writes, with this node's folders."""
        bridge = {
            "type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False, "hairpinMode": False,
            "ipam": {
                "type": "host-local", "dataDir": str(self.leases_dir),
                "ranges": [[{"subnet": "10.244.0.0/24"}], [{"subnet": "fd00:10:244::/64"}]],
                "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
            },
        }  # fmt: skip
        portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
        self.default_path.write_text(json.dumps({"cniVersion": version, "name": "pods", "plugins": [bridge, portmap]}))

    def own_settings(self) -> dict[str, Any]:
        """What the node's unit and its looks are told of this node's folders."""
        keys = ("defaultNetwork", "confDir", "binDirs", "cacheDir", "runtimeCacheDir", "poolsKubeconfig")
        own = {"leasesDir": str(self.leases_dir), "multusCacheDir": str(self.folder / "multus")}
        return {key: self.settings[key] for key in keys} | own

    def nad(self, name: str, config: dict[str, Any] | None, namespace: str = "default") -> None:
        """Put a NetworkAttachmentDefinition on the API server."""
        self.api.nads[f"{namespace}/{name}"] = None if config is None else json.dumps(config)

    def tenants(self, policy: dict[str, Any]) -> None:
        """Put the tenants' policy on the node, as role netattach does."""
        (self.folder / "tenants.json").write_text(json.dumps(policy))

    def tenants_nad(self, name: str, text: str, namespace: str) -> None:
        """Put a tenant's network on the API server, labelled as the admission policy wants it."""
        self.api.nads[f"{namespace}/{name}"] = text
        self.api.labelled.add(f"{namespace}/{name}")

    def macvlan(self, version: str = "0.3.0", **more: Any) -> dict[str, Any]:
        """The seed's network, with leases in this node's folder."""
        ipam = {
            "type": "host-local", "subnet": "10.0.0.0/24", "rangeStart": "10.0.0.13", "rangeEnd": "10.0.0.254",
            "dataDir": str(self.leases_dir),
        }  # fmt: skip
        return {"cniVersion": version, "type": "macvlan", "master": "eth1", "mode": "bridge", "ipam": ipam, **more}

    def pod(self, networks: str | None = None, namespace: str = "default") -> Pod:
        """A new pod whose annotation selects `networks`."""
        pod = Pod(self.prefix, networks, namespace)
        self.pods.append(pod)
        self.api.pods[pod.key] = pod.uid
        return pod

    def start(self, command: str, pod: Pod | None = None, **config: Any) -> subprocess.Popen[str]:
        """Start a call in the node; its configuration waits on standard input."""
        environ = {"PATH": os.environ["PATH"], "CNI_COMMAND": command, "CNI_PATH": str(self.cni_bin)}
        runtime: dict[str, Any] = {}
        if pod is not None:
            names = {"K8S_POD_NAMESPACE": pod.namespace, "K8S_POD_NAME": pod.name, "K8S_POD_UID": pod.uid}
            pairs = {"IgnoreUnknown": "1", **names, "K8S_POD_INFRA_CONTAINER_ID": pod.id}
            environ["CNI_ARGS"] = ";".join(f"{name}={value}" for name, value in pairs.items())
            environ |= {"CNI_CONTAINERID": pod.id, "CNI_IFNAME": "eth0", "CNI_NETNS": pod.path}
            runtime = {"runtimeConfig": {"io.kubernetes.cri.pod-annotations": pod.annotations}}
        own = {"cniVersion": "1.1.0", "name": "netattach", "type": "netattach", **self.settings, **runtime, **config}
        stdin = self.folder / f"stdin{next(_numbers)}"
        stdin.write_text(json.dumps(own))
        with stdin.open() as file:
            command = ["sh", "-c", self._own_state, str(self.executable)]
            return subprocess.Popen(
                ["ip", "netns", "exec", self.netns, *command], stdin=file, env=environ, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip

    def call(self, command: str, pod: Pod | None = None, **config: Any) -> Answer:
        """Call netattach as the runtime does and wait for its answer."""
        return finish(self.start(command, pod, **config))

    def leases(self, network: str, folder: Path | None = None) -> set[str]:
        """The addresses that host-local holds for the network, in `dataDir` or another folder."""
        folder = (folder or self.leases_dir) / network
        names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        return {name for name in names if name != "lock" and not name.startswith("last_reserved")}

    def ports(self) -> list[str]:
        """The ports of cni0."""
        return [link["ifname"] for link in json.loads(ip("-n", self.netns, "-j", "link", "show", "type", "veth"))
                if link.get("master") == "cni0"]  # fmt: skip

    def records(self) -> list[str]:
        """The files that netattach keeps."""
        return sorted(path.name for path in self.cache.iterdir()) if self.cache.is_dir() else []

    def nothing_left(self) -> None:
        """Assert that no address, no port and no record is left behind."""
        assert self.records() == []
        self.wait_for_lost_ports()
        assert self.ports() == []
        folders = self.leases_dir.iterdir() if self.leases_dir.is_dir() else ()
        assert {folder.name: self.leases(folder.name) for folder in folders if self.leases(folder.name)} == {}

    @contextmanager
    def inside(self) -> Iterator[None]:
        """This thread and what it starts are in the node's network namespace."""
        with inside(self.netns):
            yield

    def wait_for_lost_ports(self) -> None:
        """A port whose pod's namespace was deleted goes some time after the deletion has returned: what nobody waits
        for with the namespace there is gone at once, or it is left behind."""
        if not all(Path(pod.path).exists() for pod in self.pods):
            until("ports of deleted namespaces to go", lambda: not self.ports())

    def close(self) -> None:
        """Remove all that was made."""
        self.api.close()
        for netns in [self.netns, *(pod.netns for pod in self.pods)]:
            subprocess.run(["ip", "netns", "del", netns], check=False, capture_output=True, timeout=20)


@contextmanager
def inside(netns: str) -> Iterator[None]:
    """This thread and what it starts are in the network namespace of that name."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open("rb") as own, Path(f"/run/netns/{netns}").open("rb") as other:
        assert libc.setns(other.fileno(), 0) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            assert libc.setns(own.fileno(), 0) == 0, os.strerror(ctypes.get_errno())


def finish(process: subprocess.Popen[str]) -> Answer:
    """Wait for a call."""
    out, err = process.communicate(timeout=120)
    return Answer(process.returncode, out, err)
