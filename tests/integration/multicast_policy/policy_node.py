"""A node as namespaces with the role's own bridge and programs, and pods made by the real CNI plug-ins."""

from __future__ import annotations

import itertools
import json
import os
import shlex
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

from agents.multicast_policy import bind, hooks
from provision.core.templating import evaluate, render_file
from provision.core.wait import NotYet, until
from tests.integration.multicast_policy.lines import Lines, run
from tests.integration.multicast_policy.patience import patient, within
from tests.integration.multicast_policy.policy_pod import PEER, Pod

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
_numbers = itertools.count(1)
BRIDGE = "cni0"


def netid(namespace: str) -> int:
    """A number for a namespace, as its NetNamespace has one."""
    return 10 + zlib.crc32(namespace.encode()) % 2**20


class Node:
    """Made in a moment, gone without a trace."""

    def __init__(self, folder: Path, cni_bin: Path, number: int = 0) -> None:
        """The node with that part of the pods' subnets."""
        self.folder, self.cni_bin, self.number = folder, cni_bin, number
        self.netns = f"mp{os.getpid()}-{next(_numbers)}"
        self.pods: list[Pod] = []
        self.started: list[Lines] = []
        self.agent: Lines | None = None
        self.generation = 0
        self.nodes: list[tuple[str, str, tuple[str, ...]]] = []  # of the cluster, as the policy has them
        run("ip", "netns", "add", self.netns)
        self.holder = self._hold()
        self.ip("link", "set", "lo", "up")
        self._bridge()

    def _bridge(self) -> None:
        """By the commands of the unit that role pod_network writes."""
        role = ROOT / "roles/pod_network"
        import yaml

        pods = {"pod_network_cluster_subnet": "10.244.0.0/16", "pod_network_cluster_subnet6": "fd00:10:244::/56"}
        services = {"pod_network_service_subnet": "10.96.0.0/16", "pod_network_service_subnet6": "fd00:10:96::/112"}
        own = {"pod_network_subnet": self.subnets[0], "pod_network_subnet6": self.subnets[1]}
        given = {**pods, **services}
        for part in ("defaults", "vars"):
            path = role / part / "main.yml"
            texts = {key: value for key, value in yaml.safe_load(path.read_text()).items() if "conflist" not in key}
            given |= {**evaluate({**texts, **own}, given, path), **own}
        unit = render_file(role / "templates/mcastlab-bridge.service.j2", given).replace("\\\n", "")
        for line in unit.splitlines():
            if line.startswith("ExecStart="):
                words = shlex.split(line.removeprefix("ExecStart=").removeprefix("-"))
                if words[0].endswith("nft"):
                    self.exec("nft", "-f", "-", text=render_file(role / "templates/pod-masquerade.nft.j2", given))
                else:
                    self.exec(*words)

    @property
    def name(self) -> str:
        return f"node{self.number}"

    @property
    def subnets(self) -> tuple[str, str]:
        return f"10.244.{self.number}.0/24", f"fd00:10:244:{self.number or ''}::/64".replace(":::", "::")

    def _hold(self) -> subprocess.Popen[str]:
        """A process with the node's network and its own view of the places that are the same on every node."""
        argv = ["nsenter", f"--net=/run/netns/{self.netns}", "unshare", "--mount", "--propagation", "slave"]
        script = f"""set -e
            mount -t sysfs sysfs /sys
            mkdir -p {hooks.FOLDER} && mount --bind {self.folder} {hooks.FOLDER}
            mount -t tmpfs tmpfs /usr/local/lib && mkdir {bind.LIBRARY} && mount --bind {ROOT}/agents {bind.LIBRARY}
            echo ready; exec sleep infinity"""
        holder = subprocess.Popen([*argv, "sh", "-c", script], stdout=subprocess.PIPE, text=True)
        assert holder.stdout
        with holder.stdout:
            assert holder.stdout.readline() == "ready\n"
        return holder

    def inside(self, *argv: str | Path) -> list[str | Path]:
        """The words that run `argv` on the node, as root."""
        return ["nsenter", f"--target={self.holder.pid}", "--net", "--mount", f"--wd={ROOT}", "--", *argv]

    def exec(self, *argv: str | Path, **more: Any) -> str:
        return run(*self.inside(*argv), **more)

    def load(self, object_file: Path, kind: str = "") -> None:
        """The policy's programs, as the node's unit loads them; by a kind of hook, or the one that the loader takes."""
        run(*self.loading(object_file, kind))

    def loading(self, object_file: Path, kind: str = "", sha256: str = "") -> list[str | Path]:
        """The words that do so."""
        kinds = [f"HOOKS={kind}"] if kind else []
        words = ["env", f"PYTHONPATH={bind.LIBRARY}", f"BRIDGE={BRIDGE}", f"SHA256={sha256}", *kinds]
        return self.inside(*words, "/usr/bin/python3", "-S", "-m", "multicast_policy.loader", object_file)

    def pins(self) -> list[str]:
        """The folders of pinned objects."""
        return self.exec("find", f"{hooks.FOLDER}/bpf", "-mindepth", "1", "-maxdepth", "1", "-type", "d").split()

    def pinned(self) -> str:
        """The folder that is the current one, or nothing."""
        return self.exec("sh", "-c", f"[ ! -e {hooks.PINS}/from_pod ] || readlink {hooks.PINS}").strip()

    def told(self, word: str, seconds: float = 15) -> str:
        """The keeper's note that has `word` in it, once there is one."""

        def found() -> str | NotYet:
            assert self.agent
            notes = [note for line in self.agent.all if "notes" in line for note in line["notes"] if word in note]
            return notes[-1] if notes else NotYet("none")

        return until(f"a note on {word}", found, within(seconds), interval=0.1)

    def ip(self, *argv: str) -> str:
        return run("ip", "-n", self.netns, *argv)

    def refuse(self, reason: str) -> None:
        """As if the kernel took no programs."""
        (self.folder / "ports").mkdir(exist_ok=True)
        (self.folder / hooks.REFUSED).write_text(reason)

    def peer(self, netns: str, *argv: str) -> Lines:
        """A process of peer.py in a network namespace, the node's or a pod's."""
        lines = Lines(["ip", "netns", "exec", netns, *PEER, *argv])
        self.started.append(lines)
        return lines

    def start_agent(self, *namespaces: str, node_groups: tuple[str, ...] = ()) -> None:
        """The agent, with a policy in force."""
        driver = (sys.executable, "-m", "tests.integration.multicast_policy.driver", self.name)
        self.agent = Lines(self.inside(*driver))
        self.started.append(self.agent)
        self.permit(*namespaces, node_groups=node_groups)
        door = self.folder / "agent.sock"
        until("the agent's door", lambda: door.exists() or NotYet("it is closed"), within(10), interval=0.02)

    def stop_agent(self) -> None:
        assert self.agent
        self.agent.end()
        (self.folder / "agent.sock").unlink()

    def permit(self, *namespaces: str, node_groups: tuple[str, ...] = ()) -> dict[str, Any]:
        """Change the policy; what the agent acknowledges."""
        assert self.agent
        self.generation += 1
        across = {"nodes": self.nodes, "netids": [netid(name) for name in namespaces]}
        policy = {"generation": self.generation, "namespaces": namespaces, "node_groups": node_groups}
        self.agent.tell(policy | across)
        while True:
            status: dict[str, Any] = self.agent.next()
            if "notes" in status:
                continue
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
                "ranges": [[{"subnet": subnet}] for subnet in self.subnets],
                "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}  # fmt: skip
        chain: list[dict[str, Any]] = [
            {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "ipMasq": False, "ipam": ipam},
            {"type": "bind", "bridge": BRIDGE},
        ]
        result: dict[str, Any] = pod.result
        for plugin in chain if command == "ADD" else reversed(chain):
            config = {"cniVersion": "1.0.0", "name": "pods", **plugin}
            if result:
                config["prevResult"] = result
            shown = self._plugin(plugin["type"], command, pod, json.dumps(config))
            result = json.loads(shown) if command == "ADD" else result
        return result

    def bind(self, pod: Pod, result: dict[str, Any], interface: str = "eth0") -> None:
        """Our plug-in alone, for a result that somebody else gives it."""
        config = {"cniVersion": "1.0.0", "name": "pods", "type": "bind", "bridge": BRIDGE, "prevResult": result}
        shown = json.loads(json.dumps(config).replace('"eth0"', f'"{interface}"'))
        self._plugin("bind", "ADD", pod, json.dumps(shown), interface)

    def collect(self, network: str, alive: list[Pod]) -> None:
        """GC of our plug-in, as a network's."""
        valid = [{"containerID": pod.id, "ifname": "eth0"} for pod in alive]
        config = {"cniVersion": "1.1.0", "name": network, "type": "bind", "cni.dev/valid-attachments": valid}
        self._plugin("bind", "GC", alive[0] if alive else self.pods[0], json.dumps(config))

    def _plugin(self, name: str, command: str, pod: Pod, config: str, interface: str = "eth0") -> str:
        executable = ROOT / "agents/multicast_policy/bind.py" if name == "bind" else self.cni_bin / name
        about = {"K8S_POD_NAMESPACE": pod.namespace, "K8S_POD_NAME": pod.name, "K8S_POD_UID": pod.id}
        environment = {
            **os.environ, "CNI_COMMAND": command, "CNI_CONTAINERID": pod.id, "CNI_NETNS": f"/run/netns/{pod.netns}",
            "CNI_IFNAME": interface, "CNI_PATH": str(self.cni_bin),
            "CNI_ARGS": ";".join(f"{key}={value}" for key, value in {"IgnoreUnknown": "1", **about}.items()),
        }  # fmt: skip
        interpreter = ["/usr/bin/python3", "-IS"] if name == "bind" else []
        return self.exec(*interpreter, executable, text=config, env=environment)

    def delete(self, pod: Pod) -> None:
        self.cni("DEL", pod)
        self.pods.remove(pod)
        run("ip", "netns", "del", pod.netns)

    def figures(self) -> dict[str, Any]:
        """What was counted, as the agent's `figures` prints it; `pods` by name."""
        shown = json.loads(self.exec(sys.executable, "-m", "agents.multicast_policy.figures"))
        return {**shown, "pods": {entry["pod"]: entry for entry in shown["pods"]}}

    def _hooks(self, what: str, device: str) -> str:
        words = ["env", f"PYTHONPATH={bind.LIBRARY}", sys.executable]
        return self.exec(*words, HERE / "hooks_of.py", what, device).strip()

    def has_programs(self, device: str) -> bool:
        """Whether a port, or the bridge, has its two programs ahead of all others."""
        return self._hooks("look", device) == "all"

    def strip(self, device: str) -> None:
        """Take a device's programs away, as somebody who is root on the node could."""
        self._hooks("strip", device)

    def entries(self) -> int:
        """How many ports the programs know: those with counts, without what counts for the node and for all unbound."""
        script = "from agents.multicast_policy.tables import Tables; print(len(Tables().counts(range(1, 1 << 16))) - 2)"
        return int(self.exec(sys.executable, "-c", script))

    def settle(self, group: str, members: int) -> None:
        """Wait until the bridge knows a group's members, and no longer floods as a querier does at first."""
        for setting in (["mcast_querier", "0"], ["mcast_query_response_interval", "10"], ["mcast_querier", "1"]):
            self.ip("link", "set", BRIDGE, "type", "bridge", *setting)

        def known() -> bool | NotYet:
            found = sum(entry["grp"] == group and entry["port"] != BRIDGE for entry in self.groups())
            return found >= members or NotYet(f"{found} of {members} members are known")

        until(f"the members of {group} to be known", known, within(15), interval=0.1)
        time.sleep(1.1)  # one response interval: as long it floods

    def lift(self, group: str, seconds: float = 20) -> None:
        """Let a group through everywhere, as `mcastlab check` does for its positive twins."""
        words = ["env", f"PYTHONPATH={bind.LIBRARY}", "/usr/bin/python3", "-S", "-m", "multicast_policy.lift"]
        self.exec(*words, group, str(seconds))

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
        self.holder.kill()
        self.holder.wait(patient(10))
        run("ip", "netns", "del", self.netns)
