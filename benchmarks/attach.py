#!/usr/bin/env python3
"""How long a second interface takes: netattach against Multus, in one run, on a lab of its own.

Needs Multus' image (`mcastlab artifacts import FILE.tar`). For each pod it takes the time that containerd needs for the
sandbox, from its journal; a pod without a second interface beside each one with. The rounds interleave, so that what
else the machine does meets both. Usage:

    benchmarks/attach.py [--rounds 2] [--pods 10]
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MCASTLAB = Path(sys.executable).parent / "mcastlab"
KUBECTL = ["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf"]
LAB = """\
name: attach
cluster: {{attacher: {attacher}}}
hosts:
  - {{name: k8s, role: control-plane, address: 10.97.9.11, address6: "fd00:97:9::11"}}
  - {{name: mcastsrc, role: source, address: 10.97.9.12, address6: "fd00:97:9::12"}}
lan: {{subnet: 10.97.9.0/24, subnet6: "fd00:97:9::/64"}}
networks:
  - name: eth1-multicast
    ipam: {{range_start: 10.97.9.13, range_end: 10.97.9.254}}
"""
_LINE = re.compile(r'time="([^"]+)".*RunPodSandbox for name:\\"(bench-[^\\]+)\\"(.*)')


def mcastlab(folder: Path, *args: str) -> str:
    """Run `mcastlab args` on the lab of `folder`; its output."""
    done = subprocess.run([MCASTLAB, *args], cwd=folder, check=False, capture_output=True, text=True, timeout=900)
    if done.returncode != 0:
        sys.exit(f"mcastlab {' '.join(args)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def on_node(folder: Path, *command: str) -> str:
    """Run a command on the node; its output."""
    return mcastlab(folder, "ssh", "k8s", "--", *command)


def pods(folder: Path, image: str, names: list[str]) -> None:
    """Make each pod and wait until it is ready, one at a time; names that end in -attached have a second interface."""
    for name in names:
        container = {"name": "c", "image": image, "imagePullPolicy": "Never", "command": ["sleep", "infinity"]}
        networks = {"k8s.v1.cni.cncf.io/networks": "eth1-multicast@eth1"} if name.endswith("-attached") else {}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "annotations": networks},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
        }
        on_node(folder, "sh", "-c", f"echo '{json.dumps(pod)}' | {' '.join(KUBECTL)} apply -f -")
        on_node(folder, *KUBECTL, "wait", "--for=condition=Ready", "--timeout=60s", f"pod/{name}")
    on_node(folder, *KUBECTL, "delete", "pod", "--grace-period=0", *names)


def sandboxes(journal: str) -> dict[str, float]:
    """Milliseconds from the begin to the end of each bench pod's sandbox."""
    began: dict[str, float] = {}
    took: dict[str, float] = {}
    for line in journal.splitlines():
        if match := _LINE.search(line):
            moment = datetime.fromisoformat(match[1][:26].rstrip("Z") + "+00:00").timestamp()
            if "returns sandbox id" in match[3]:
                took[match[2]] = 1000 * (moment - began[match[2]])
            else:
                began[match[2]] = moment
    return took


def main() -> None:
    """Measure and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2, help="how often each attacher's turn comes")
    parser.add_argument("--pods", type=int, default=10, help="pods of each kind in a turn")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            for turn in range(options.rounds):
                for attacher in ("netattach", "multus"):
                    (folder / "lab.yml").write_text(LAB.format(attacher=attacher))
                    mcastlab(folder, "up", "--quiet")
                    shown = on_node(folder, "/opt/mcastlab/bundle/bin/ctr", "-n", "k8s.io", "images", "ls", "-q")
                    image = next(line for line in shown.split() if "/tools:" in line)
                    kinds = [f"{number}-{kind}" for number in range(options.pods) for kind in ("plain", "attached")]
                    pods(folder, image, [f"bench-{attacher}-{turn}-{kind}" for kind in kinds])
            took = sandboxes(on_node(folder, "journalctl", "-u", "containerd", "-o", "cat"))
        finally:
            mcastlab(folder, "down", "--quiet")
    for attacher in ("netattach", "multus"):
        for kind in ("plain", "attached"):
            times = [ms for pod, ms in took.items() if pod.startswith(f"bench-{attacher}-") and pod.endswith(kind)]
            print(
                f"{attacher:<10} {kind:<9} median {statistics.median(times):5.0f} ms"
                f"  best {min(times):5.0f}  worst {max(times):5.0f}  of {len(times)}"
            )


if __name__ == "__main__":
    main()
