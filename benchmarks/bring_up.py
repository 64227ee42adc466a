#!/usr/bin/env python3
"""From nothing to the first multicast datagram in a pod: `mcastlab up` against the lab by hand, in one run.

Needs the artifact cache (`mcastlab artifacts build`) and the by-hand lab's own (`build.sh` and `images.sh` there).
Prints seconds for this machine and the ratios, which are what counts. Usage:

    benchmarks/bring_up.py --by-hand ../shared/by-hand [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MCASTLAB = ROOT / ".venv" / "bin" / "mcastlab"
_READY = re.compile(r"^\s*([\d.]+) s\s+receiver pod Ready", re.MULTILINE)
_LIMIT_SECONDS = 900


def by_hand(folder: Path) -> float:
    """Seconds until the receiving pod of up.sh is ready; its sender starts right after."""
    output = subprocess.run(
        [folder / "up.sh"], check=True, capture_output=True, text=True, timeout=_LIMIT_SECONDS
    ).stdout
    subprocess.run([folder / "down.sh"], check=False, timeout=_LIMIT_SECONDS)
    match = _READY.search(output)
    if match is None:
        sys.exit(f"by-hand did not get a pod ready:\n{output}")
    return float(match[1])


def ours(folder: Path) -> tuple[float, float, float, dict[str, float]]:
    """Seconds to the first datagram in a pod, of the whole first `up` and of the second; and of each stage."""
    started_at, first = time.time(), time.monotonic()
    report = _up(folder)
    first = time.monotonic() - first
    second = time.monotonic()
    _up(folder)
    second = time.monotonic() - second
    subprocess.run([MCASTLAB, "down", "--quiet"], cwd=folder, check=True, timeout=_LIMIT_SECONDS)
    check = next(item for item in report["checks"] if item["name"] == "source-to-pod")
    figures = {figure["name"]: figure["value"] for figure in check["figures"]}
    stages = {stage["name"]: stage["seconds"] for stage in report["stages"]}
    return figures["first_sent_at"] - started_at, first, second, stages


def _up(folder: Path) -> dict:
    report = folder / "report.json"
    subprocess.run([MCASTLAB, "up", "--quiet", "--json", report], cwd=folder, check=True, timeout=_LIMIT_SECONDS)
    return json.loads(report.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--by-hand", type=Path, required=True, help="the folder with up.sh and down.sh")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    hand, datagram, first, second = [], [], [], []
    for number in range(options.rounds):
        hand.append(by_hand(options.by_hand.resolve()))
        with tempfile.TemporaryDirectory() as folder:
            to_datagram, first_up, second_up, stages = ours(Path(folder))
        datagram.append(to_datagram)
        first.append(first_up)
        second.append(second_up)
        print(f"round {number + 1}: by hand {hand[-1]:.1f} s, mcastlab {to_datagram:.1f} s to the first datagram")
        print("  stages: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in stages.items()))
    print(f"machine: {os.cpu_count()} cores")
    print(f"first datagram, mcastlab / by hand: {statistics.median(datagram) / statistics.median(hand):.2f}")
    print(f"second up / first up: {statistics.median(second) / statistics.median(first):.2f}")


if __name__ == "__main__":
    main()
