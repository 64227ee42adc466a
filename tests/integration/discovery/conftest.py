"""Instances of the demo's agent, each in a network namespace of its own on one bridge with snooping and a querier."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
AGENT = ROOT / "agents" / "discovery" / "discovery.py"
PORT = 8080
# Of this process alone: two of these files run side by side. Numbers are used once: the port of a deleted namespace
# goes some time later.
NET = f"10.99.{os.getpid() % 250}"
_numbers = count(1)


def ip(*args: str) -> None:
    subprocess.run(["ip", *args], check=True, capture_output=True, timeout=10)


@dataclass
class Instance:
    name: str
    namespace: str
    address: str
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://{self.address}:{PORT}/"

    def peers(self) -> dict[str, Any]:
        """What its /peers answers; nothing while it does not."""
        try:
            with urllib.request.urlopen(f"{self.url}peers", timeout=5) as answer:  # noqa: S310
                return {peer["name"]: peer for peer in json.loads(answer.read())["peers"]}
        except OSError:
            return {}

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(10)


@dataclass
class Lan:
    """A bridge and its instances."""

    folder: Path
    prefix: str
    instances: list[Instance] = field(default_factory=list)
    namespaces: list[str] = field(default_factory=list)

    def start(self, name: str) -> Instance:
        number = next(_numbers)
        namespace, port = f"{self.prefix}{number}", f"{self.prefix}p{number}"
        ip("netns", "add", namespace)
        self.namespaces.append(namespace)
        ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        ip("link", "set", port, "master", f"{self.prefix}br", "up")
        ip("-n", namespace, "link", "set", "lo", "up")
        ip("-n", namespace, "address", "add", f"{NET}.{number}/24", "dev", "eth0")
        ip("-n", namespace, "link", "set", "eth0", "up")
        ip("-n", namespace, "route", "add", "default", "via", f"{NET}.254")
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                ["ip", "netns", "exec", namespace, "python3", "-I", "-S", AGENT],
                stdout=out,
                stderr=out,
                env={**os.environ, "HOSTNAME": name, "HTTP_PORT": str(PORT)},
            )
        instance = Instance(name, namespace, f"{NET}.{number}", log, process)
        self.instances.append(instance)
        return instance

    def close(self) -> None:
        for instance in self.instances:
            if instance.process.poll() is None:
                instance.end()
        for namespace in self.namespaces:
            ip("netns", "delete", namespace)
        ip("link", "delete", f"{self.prefix}br")


@pytest.fixture
def lan(tmp_path: Path) -> Iterator[Lan]:
    if os.geteuid() != 0:
        pytest.fail("these tests make network namespaces: run them as root")
    prefix = f"dsc{os.getpid() % 10000}"
    ip("link", "add", f"{prefix}br", "type", "bridge", "mcast_snooping", "1", "mcast_querier", "1")
    made = Lan(tmp_path, prefix)
    try:
        ip("address", "add", f"{NET}.254/24", "dev", f"{prefix}br")
        ip("link", "set", f"{prefix}br", "up")
        yield made
    finally:
        made.close()


def eventually(get: Callable[[], Any], wanted: Callable[[Any], bool], seconds: float) -> Any:
    """What `get` returns once `wanted` is true of it; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not wanted(found := get()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {found}")
        time.sleep(0.1)
    return found
