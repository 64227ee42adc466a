"""attachments-whole: every pod has all interfaces that it asked for, up and with the addresses that they were given."""

from __future__ import annotations

from provision.checks.result import Figure, Outcome, failed, passed
from provision.networks import attachments
from provision.traffic.testbed import Testbed


def run(testbed: Testbed) -> Outcome:
    testbed.bystander().result()  # at least this pod has asked for one
    found = attachments.look_everywhere([testbed.remotes.get(host.name) for host in testbed.lab.nodes])
    figures = (Figure("whole", len(found.whole), "pods"), Figure("broken", len(found.broken), "pods"))
    if found.broken:
        return failed("; ".join(str(pod) for pod in found.broken), *figures)
    if not found.whole:
        return failed("No pod was seen that asked for a network, and the checks' own is one", *figures)
    return passed(f"{len(found.whole)} of {len(found.whole)} pods with second interfaces have them all", *figures)
