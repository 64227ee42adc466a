"""A node as a network namespace with the role's own bridge and default drop, and pods made by the real CNI plug-ins."""

from __future__ import annotations

import itertools
import json
import os
import queue
import shlex
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from provision.templating import evaluate, render_file

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
_numbers = itertools.count(1)
BRIDGE = "cni0"


def run(*argv: str | Path, text: str | None = None, env: dict[str, str] | None = None) -> str:
    """Output of a command that must succeed."""
    done = subprocess.run([*argv], check=False, capture_output=True, text=True, timeout=60, input=text, env=env)
    assert done.returncode == 0, f"{shlex.join(map(str, argv))}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


class Lines:
    """A process that prints a JSON value a line, and what it has printed."""

    def __init__(self, argv: list[str | Path], **more: Any) -> None:
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, **more)
        self.all: list[Any] = []
        self._new: queue.Queue[Any] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            value = json.loads(line)
            self.all.append(value)
            self._new.put(value)

    def next(self, seconds: float = 15) -> Any:
        """The next line; queue.Empty when there is none in time."""
        return self._new.get(timeout=seconds)

    def tell(self, value: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(value) + "\n")
        self.process.stdin.flush()

    def end(self) -> None:
        self.process.kill()
        self.process.wait(10)


class Pod:
    """A pod: a network namespace on the bridge."""

    def __init__(self, node: Node, namespace: str, name: str) -> None:
        self.node, self.namespace, self.name = node, namespace, name
        self.netns = f"{node.netns}p{next(_numbers)}"
        self.id = uuid.uuid4().hex
        self.result: dict[str, Any] = {}
        self.hearing: Lines | None = None

    @property
    def port(self) -> str:
        return str(next(i["name"] for i in self.result["interfaces"] if i["name"].startswith("veth")))

    def address(self, version: int = 4) -> str:
        found = [ip["address"].split("/")[0] for ip in self.result["ips"]]
        return str(next(address for address in found if (":" in address) == (version == 6)))

    def hear(self, *groups: str) -> None:
        """Join, and wait until the bridge knows."""
        self.hearing = self.node.peer(self.netns, "hear", "eth0", *groups)
        assert self.hearing.next() == "ready"

    def heard(self) -> set[str]:
        assert self.hearing
        return {text for text, _, _ in self.hearing.all[1:]}

    def say(self, group: str, text: str, *more: str) -> None:
        run("ip", "netns", "exec", self.netns, sys.executable, HERE / "peer.py", "say", "eth0", group, text, *more)

    def frames(self, *frames: str, count: int = 2) -> None:
        run("ip", "netns", "exec", self.netns, sys.executable, HERE / "peer.py", "frames", "eth0", str(count), *frames)

    def igmp_version(self) -> str:
        """The version that the pod's kernel speaks on eth0: V1, V2 or V3."""
        shown = run("ip", "netns", "exec", self.netns, "cat", "/proc/net/igmp")
        return next(line.split()[-1] for line in shown.splitlines() if "eth0" in line)


class Node:
    """Made in a moment, gone without a trace."""

    def __init__(self, folder: Path, cni_bin: Path) -> None:
        self.folder, self.cni_bin = folder, cni_bin
        self.netns = f"mp{os.getpid()}-{next(_numbers)}"
        self.pods: list[Pod] = []
        self.started: list[Lines] = []
        self.agent: Lines | None = None
        self.generation = 0
        (folder / "ports").mkdir()
        run("ip", "netns", "add", self.netns)
        self.ip("link", "set", "lo", "up")
        self._bridge()
        (folder / "base.nft").write_text(base())
        self.exec("nft", "-f", folder / "base.nft")

    def _bridge(self) -> None:
        """By the commands of the unit that role pod_network writes."""
        role = ROOT / "roles/pod_network"
        import yaml

        pods = {"pod_network_cluster_subnet": "10.244.0.0/16", "pod_network_cluster_subnet6": "fd00:10:244::/56"}
        services = {"pod_network_service_subnet": "10.96.0.0/16", "pod_network_service_subnet6": "fd00:10:96::/112"}
        given = {**pods, **services}
        for part in ("defaults", "vars"):
            path = role / part / "main.yml"
            texts = {key: value for key, value in yaml.safe_load(path.read_text()).items() if "conflist" not in key}
            given |= evaluate(texts, given, path)
        unit = render_file(role / "templates/mcastlab-bridge.service.j2", given).replace("\\\n", "")
        for line in unit.splitlines():
            if line.startswith("ExecStart="):
                self.exec(*shlex.split(line.removeprefix("ExecStart=").removeprefix("-")))

    def exec(self, *argv: str | Path, **more: Any) -> str:
        return run("ip", "netns", "exec", self.netns, *argv, **more)

    def ip(self, *argv: str) -> str:
        return run("ip", "-n", self.netns, *argv)

    def peer(self, netns: str, *argv: str) -> Lines:
        lines = Lines(["ip", "netns", "exec", netns, sys.executable, HERE / "peer.py", *argv])
        self.started.append(lines)
        return lines

    def start_agent(self, *namespaces: str, node_groups: tuple[str, ...] = ()) -> None:
        """The agent, with a policy in force."""
        argv = ["ip", "netns", "exec", self.netns, sys.executable, "-m", "tests.integration.multicast_policy.driver"]
        self.agent = Lines([*argv, self.folder], cwd=ROOT)
        self.started.append(self.agent)
        self.permit(*namespaces, node_groups=node_groups)
        deadline = time.monotonic() + 10
        while not (self.folder / "agent.sock").exists() and time.monotonic() < deadline:
            time.sleep(0.02)

    def stop_agent(self) -> None:
        assert self.agent
        self.agent.end()
        (self.folder / "agent.sock").unlink()

    def permit(self, *namespaces: str, node_groups: tuple[str, ...] = ()) -> dict[str, Any]:
        """Change the policy; what the agent acknowledges."""
        assert self.agent
        self.generation += 1
        self.agent.tell({"generation": self.generation, "namespaces": namespaces, "node_groups": node_groups})
        while True:
            status: dict[str, Any] = self.agent.next()
            if status["generation"] == self.generation or status["error"]:
                assert status["error"] == ""
                return status

    def pod(self, namespace: str, name: str = "") -> Pod:
        """A pod as the runtime makes it: the bridge plug-in, then ours."""
        pod = Pod(self, namespace, name or f"pod-{next(_numbers)}")
        run("ip", "netns", "add", pod.netns)
        self.pods.append(pod)
        pod.result = self.cni("ADD", pod)
        return pod

    def cni(self, command: str, pod: Pod) -> dict[str, Any]:
        """Run the chain; the last result."""
        ipam = {"type": "host-local", "dataDir": str(self.folder / "leases"),
                "ranges": [[{"subnet": "10.244.0.0/24"}], [{"subnet": "fd00:10:244::/64"}]],
                "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}  # fmt: skip
        chain: list[dict[str, Any]] = [
            {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "ipMasq": False, "ipam": ipam},
            {"type": "bind", "bridge": BRIDGE, "folder": str(self.folder)},
        ]
        result: dict[str, Any] = pod.result
        for plugin in chain if command == "ADD" else reversed(chain):
            config = {"cniVersion": "1.0.0", "name": "pods", **plugin}
            if result:
                config["prevResult"] = result
            shown = self._plugin(plugin["type"], command, pod, json.dumps(config))
            result = json.loads(shown) if command == "ADD" else result
        return result

    def _plugin(self, name: str, command: str, pod: Pod, config: str) -> str:
        executable = ROOT / "agents/multicast_policy/bind.py" if name == "bind" else self.cni_bin / name
        environment = {
            **os.environ, "CNI_COMMAND": command, "CNI_CONTAINERID": pod.id, "CNI_NETNS": f"/run/netns/{pod.netns}",
            "CNI_IFNAME": "eth0", "CNI_PATH": str(self.cni_bin),
            "CNI_ARGS": f"IgnoreUnknown=1;K8S_POD_NAMESPACE={pod.namespace};K8S_POD_NAME={pod.name}",
        }  # fmt: skip
        interpreter = ["/usr/bin/python3", "-IS"] if name == "bind" else []
        return run("ip", "netns", "exec", self.netns, *interpreter, executable, text=config, env=environment)

    def delete(self, pod: Pod) -> None:
        self.cni("DEL", pod)
        self.pods.remove(pod)
        run("ip", "netns", "del", pod.netns)

    def counters(self) -> dict[str, int]:
        listing = json.loads(self.exec("nft", "-j", "list", "counters", "table", "bridge", "mcastlab"))
        return {
            item["counter"]["name"]: item["counter"]["packets"] for item in listing["nftables"] if "counter" in item
        }

    def groups(self) -> list[dict[str, Any]]:
        """The bridge's group table."""
        return list(json.loads(self.exec("bridge", "-j", "-d", "mdb", "show", "dev", BRIDGE))[0]["mdb"])

    def routers(self) -> list[str]:
        """Ports that the bridge takes for routers."""
        shown = json.loads(self.exec("bridge", "-j", "-d", "mdb", "show", "dev", BRIDGE))[0]["router"]
        return [entry["port"] for entry in shown.get(BRIDGE, [])]

    def close(self) -> None:
        for lines in self.started:
            lines.end()
        for pod in self.pods:
            run("ip", "netns", "del", pod.netns)
        run("ip", "netns", "del", self.netns)


def base() -> str:
    """The default drop, as the role renders it for this kernel."""
    template = ROOT / "roles/multicast_policy/templates/base.nft.j2"
    return render_file(template, {"multicast_policy_bridge": BRIDGE, "scoped": False})
