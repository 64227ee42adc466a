#!/usr/bin/env python3
"""How the configure stage grows with the number of multicast source hosts: 1, 2 and 4 of them, in turn, in one run.

Needs the artifact cache (`mcastlab artifacts build`). Each lab is brought up from nothing, and once more; prints the
seconds that Ansible takes of it and the ratio for each doubling, which is what counts. Usage:

    benchmarks/configure.py [--rounds 2]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MCASTLAB = ROOT / ".venv" / "bin" / "mcastlab"
SOURCES = (1, 2, 4)
GOAL = 1.3
_NET, _NET6 = "10.98.30", "fd00:98:30:"


def lab_text(sources: int) -> str:
    """lab.yml with that many sources."""
    hosts = [f'  - {{name: k8s, role: control-plane, address: {_NET}.11, address6: "{_NET6}:11"}}']
    for number in range(1, sources + 1):
        last = 11 + number
        hosts.append(f'  - {{name: source{number}, role: source, address: {_NET}.{last}, address6: "{_NET6}:{last}"}}')
    network = f"  - {{name: eth1-multicast, ipam: {{range_start: {_NET}.100, range_end: {_NET}.200}}}}"
    lan = f'lan: {{subnet: {_NET}.0/24, subnet6: "{_NET6}:/64"}}'
    return "\n".join(["name: bench-configure", "hosts:", *hosts, lan, "networks:", network, ""])


def configure_seconds(folder: Path) -> float:
    """Bring the lab up and return what its stage `configure` took."""
    report = folder / "report.json"
    subprocess.run([MCASTLAB, "up", "--quiet", "--json", report], cwd=folder, check=True, timeout=900)
    stages = {stage["name"]: stage["seconds"] for stage in json.loads(report.read_text())["stages"]}
    return float(stages["configure"])


def measure(sources: int) -> tuple[float, float]:
    """Seconds of the first and of the second `up` of a lab with that many sources."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "lab.yml").write_text(lab_text(sources))
        try:
            return configure_seconds(folder), configure_seconds(folder)
        finally:
            subprocess.run([MCASTLAB, "down", "--quiet"], cwd=folder, check=True, timeout=300)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    taken: dict[int, list[tuple[float, float]]] = {sources: [] for sources in SOURCES}
    for _ in range(options.rounds):
        for sources in SOURCES:
            taken[sources].append(measure(sources))
            first, second = taken[sources][-1]
            load = os.getloadavg()[0]
            print(f"{sources} sources: first up {first:.1f} s, second {second:.1f} s (load {load:.0f})", flush=True)
    for what, index in (("first up", 0), ("second up", 1)):
        medians = [statistics.median(pair[index] for pair in taken[sources]) for sources in SOURCES]
        for (small, one), (large, two) in zip(
            zip(SOURCES, medians, strict=True), list(zip(SOURCES, medians, strict=True))[1:], strict=False
        ):
            print(f"{what}, {small} to {large} sources: {two / one:.2f} (goal: at most {GOAL})")


if __name__ == "__main__":
    main()
