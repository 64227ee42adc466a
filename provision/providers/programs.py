"""Whether a kernel takes the multicast policy's programs (eBPF): agents/hostprobe/bpfprobe.py asks, providers judge.

Where it does not, all of a lab works but multicast by namespace: only a lab.yml that lists namespaces is refused.
"""

from __future__ import annotations

import sys

from provision.core.paths import ROOT

SOURCE = ROOT / "agents" / "hostprobe" / "bpfprobe.py"
WHERE = "lab.yml: multicast.namespaces"
REMEDY = "Leave `multicast.namespaces` empty, or use a kernel, and a container around it, that allows bpf()"


def argv_here() -> list[str]:
    """The command that asks this machine's kernel; to be run as root."""
    return ["unshare", "--net", sys.executable, "-I", "-S", str(SOURCE)]
