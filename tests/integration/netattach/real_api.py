"""A real API server with its etcd, alone in a network namespace that nodes of the tests are linked to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from netattach_node import inside, ip, until

from agents.netattach import build
from agents.netattach.kubeconfig import render

ROOT = Path(__file__).resolve().parents[3]
SERVER = "10.99.0.1"
ADMIN = "administrator-of-the-tests"
WHEREABOUTS = ROOT / "roles/netattach/files/whereabouts.yml"


def _binary(part: str, name: str) -> Path:
    """A component's binary in the cache, the newest."""
    found = sorted(build.cache_folder().parent.glob(f"parts/{part}-*/{name}"), key=lambda path: path.stat().st_mtime)
    assert found, f"no '{name}' in the cache: run `mcastlab artifacts build`"
    return found[-1]


def kubectl_folder() -> Path:
    """Where `kubectl` is."""
    return _binary("kubernetes", "kubectl").parent


class RealApi:
    """etcd and kube-apiserver, with what role netattach applies for whereabouts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.netns = f"wa{os.getpid()}"
        self._links = 0
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        ip("netns", "add", self.netns)
        ip("-n", self.netns, "link", "set", "lo", "up")
        ip("-n", self.netns, "link", "add", "nodes", "type", "bridge")
        ip("-n", self.netns, "address", "add", f"{SERVER}/24", "dev", "nodes")
        ip("-n", self.netns, "link", "set", "nodes", "up")
        key = folder / "accounts.key"
        subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True, timeout=60)
        (folder / "tokens.csv").write_text(f'{ADMIN},admin,admin,"system:masters"\n')
        client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
        self._start("etcd", [
            str(_binary("etcd", "etcd")), f"--data-dir={folder}/etcd", "--unsafe-no-fsync",
            f"--listen-client-urls={client}", f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}",
            f"--initial-cluster=default={peer}", f"--initial-advertise-peer-urls={peer}",
        ])  # fmt: skip
        self._server = [
            str(_binary("kubernetes", "kube-apiserver")), f"--etcd-servers={client}", f"--bind-address={SERVER}",
            f"--advertise-address={SERVER}", f"--cert-dir={folder}/certificates", "--secure-port=6443",
            f"--token-auth-file={folder}/tokens.csv", "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.96.0.0/16", "--service-account-issuer=https://tests",
            f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
            "--disable-admission-plugins=ServiceAccount",
        ]  # fmt: skip
        self.start()
        self.kubectl("apply", "--server-side", "--filename", str(WHEREABOUTS))
        self.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd/ippools.whereabouts.cni.cncf.io")
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_bytes(self._kubeconfig(self.token()))

    def start(self) -> None:
        """Have the API server serve."""
        self._start("server", self._server)
        until("the API server to be ready", self._ready, seconds=120, every=0.3)

    def stop(self) -> None:
        """The API server away; what it keeps stays in etcd."""
        self._end("server")

    @contextmanager
    def inside(self) -> Iterator[None]:
        """This thread stands where the API server does."""
        with inside(self.netns):
            yield

    def link(self, netns: str) -> None:
        """Give a node's network namespace a way to the API server."""
        self._links += 1
        ip(
            "link",
            "add",
            f"wl{self._links}",
            "netns",
            self.netns,
            "type",
            "veth",
            "peer",
            "name",
            "api0",
            "netns",
            netns,
        )
        ip("-n", self.netns, "link", "set", f"wl{self._links}", "master", "nodes", "up")
        ip("-n", netns, "address", "add", f"10.99.0.{self._links + 1}/24", "dev", "api0")
        ip("-n", netns, "link", "set", "api0", "up")

    def kubectl(self, *words: str, token: str = ADMIN, check: bool = True) -> str:
        """What kubectl says, with an administrator's rights or those of `token`."""
        path = self.folder / "kubectl.json"
        path.write_bytes(self._kubeconfig(token))
        argv = ["ip", "netns", "exec", self.netns, f"{kubectl_folder()}/kubectl", "--kubeconfig", str(path), *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=90)
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def objects(self, kind: str) -> list[dict[str, Any]]:
        """All objects of a kind of whereabouts'."""
        found = json.loads(self.kubectl("get", kind, "--namespace=kube-system", "--output=json"))
        return list(found["items"])

    def taken(self) -> dict[str, dict[str, Any]]:
        """The allocations of all pools, by pool and place."""
        return {
            f"{pool['metadata']['name']} {place}": entry
            for pool in self.objects("ippools")
            for place, entry in pool["spec"]["allocations"].items()
        }

    def notes(self) -> dict[str, dict[str, Any]]:
        """The reservations by address."""
        return {one["metadata"]["name"]: one for one in self.objects("overlappingrangeipreservations")}

    def clean(self) -> None:
        """Without pools and reservations, as for the first pod of a cluster."""
        for kind in ("ippools", "overlappingrangeipreservations"):
            self.kubectl("delete", kind, "--all", "--namespace=kube-system", "--timeout=60s")

    def close(self) -> None:
        """Remove all that was made."""
        for name in list(self._processes):
            self._end(name)
        ip("netns", "del", self.netns)
        shutil.rmtree(self.folder / "etcd", ignore_errors=True)

    def administrator(self) -> Path:
        """A file with an administrator's credentials."""
        path = self.folder / "admin.json"
        path.write_bytes(self._kubeconfig(ADMIN))
        return path

    def token(self) -> str:
        """One of whereabouts' own ServiceAccount."""
        return self.kubectl("create", "token", "whereabouts", "--namespace=kube-system").strip()

    def _kubeconfig(self, token: str) -> bytes:
        return render(f"https://{SERVER}:6443", (self.folder / "certificates/apiserver.crt").read_bytes(), token)

    def _ready(self) -> bool:
        if self._processes["server"].poll() is not None:
            raise AssertionError((self.folder / "server.log").read_text()[-2000:])
        return (self.folder / "certificates/apiserver.crt").exists() and "ok" in self.kubectl(
            "get", "--raw", "/readyz", "--request-timeout=5s", check=False
        )

    def _start(self, name: str, argv: list[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                ["ip", "netns", "exec", self.netns, *argv], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def _end(self, name: str) -> None:
        process = self._processes.pop(name)
        process.kill()
        process.wait(timeout=30)
