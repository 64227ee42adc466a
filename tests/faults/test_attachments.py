"""Faults while pods get second interfaces, on a real lab: what stays reserved at once, and what after the reconciler.

`make faults-attach` runs this and writes docs/attachment-faults.md. The reconciler waits three seconds here, not ten
minutes. MCASTLAB_FAULTS_TABLE names the file that gets a line for each fault.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import CliLab
from tests.e2e.policy_lab import add_pod, create, get, started, until
from tests.e2e.test_5_attachments import NAMESPACE, attached, cut_power, held

NETWORK = "eth1-multicast"
PODS = 200
# An ADD that is under way has an address for a moment, and kubelet tries again and again: the least of some looks is
# what an ADD that has failed has left.
LOOKS, BETWEEN_SECONDS = 6, 0.5
FAILING_PODS = Path(__file__).with_name("failing_pods.py")

# The disk on which everything of attachments is kept, with what is on it by then, and no room for more. The place where
# it is seen meanwhile takes no part in mounts: it would get the new one as well.
FILL = """\
set -e
systemctl stop kubelet
mkdir -p /run/under
mount --bind /var/lib/cni /run/under
mount --make-private /run/under
mount -t tmpfs -o size=2m full /var/lib/cni
cp -a /run/under/. /var/lib/cni/
touch /run/filled
dd if=/dev/zero of=/var/lib/cni/fill bs=4k status=none 2>/dev/null || true
systemctl start kubelet
"""
BACK = """\
systemctl stop kubelet
for n in $(seq 120); do pgrep -f "[/]opt/cni/bin/netattach" >/dev/null || break; sleep 0.5; done
if [ -e /run/filled ]; then
  rm /run/filled
  find /run/under -mindepth 1 -delete
  cp -a /var/lib/cni/. /run/under/
fi
for place in /var/lib/cni /run/under; do
  for n in $(seq 60); do mountpoint -q $place || break; umount $place 2>/dev/null || sleep 0.5; done
done
systemctl start kubelet
"""


class Reserved:
    """The addresses of the lab's network that a fault has cost, counted from when this is made."""

    def __init__(self, lab: CliLab) -> None:
        self._lab = lab
        self._before = held(lab)

    def more(self) -> set[str]:
        """Those that were not reserved before."""
        return held(self._lab) - self._before

    def least(self) -> int:
        """How many of them no look within some seconds misses."""
        counted = []
        for _ in range(LOOKS):
            counted.append(len(self.more()))
            time.sleep(BETWEEN_SECONDS)
        return min(counted)

    def free_again(self, since: float) -> float:
        """Wait until no more are reserved than before; the seconds from `since`, of the monotonic clock, until then."""
        until("what it cost is free again", lambda: not self.more(), 180)
        return time.monotonic() - since

    def record(self, fault: str, at_once: int, seconds: float) -> None:
        """Add the fault's line to the table, where one is asked for."""
        if path := os.environ.get("MCASTLAB_FAULTS_TABLE"):
            with Path(path).open("a", encoding="utf-8") as stream:
                stream.write(f"| {fault} | {at_once} | {len(self.more())} | {seconds:.0f} |\n")


def network(lab: CliLab, name: str, *behind: dict[str, object]) -> None:
    """The lab's network under another name, with plug-ins behind its own; its addresses are those of the lab's."""
    found = get(lab, "-n", NAMESPACE, "network-attachment-definition", NETWORK)
    config = json.loads(found["spec"]["config"])
    own = {key: value for key, value in config.items() if key not in {"cniVersion", "name"}}
    chain = {"cniVersion": config["cniVersion"], "name": config.get("name", NETWORK), "plugins": [own, *behind]}
    metadata = {"name": name, "namespace": NAMESPACE}
    create(lab, {**found, "metadata": metadata, "spec": {"config": json.dumps(chain)}})


@pytest.fixture(scope="module")
def broken(lab_soon: CliLab) -> str:
    """A network that fails once its pod has an address."""
    network(lab_soon, "broken", {"type": "tuning", "sysctl": {"net.ipv4.no_such_setting": "1"}})
    return "broken"


@pytest.fixture(autouse=True)
def _alone(lab_soon: CliLab) -> Iterator[None]:
    """A fault that failed leaves no pod to the next one."""
    yield
    lab_soon.kubectl("-n", NAMESPACE, "delete", "pod", "--all", "--now", "--timeout=120s")


def failed(lab: CliLab, name: str, reason: str = "FailedCreatePodSandBox") -> str:
    """What kubelet says of a pod whose sandbox could not be made, or netattach by its own reason."""
    query = f"reason={reason},involvedObject.name={name}"
    events = get(lab, "-n", NAMESPACE, "events", "--field-selector", query)["items"]
    return " ".join(event["message"] for event in events)


@pytest.fixture
def full(lab_soon: CliLab) -> Iterator[CliLab]:
    try:
        lab_soon.on("k8s", "sh", "-c", FILL)
        yield lab_soon
    finally:
        lab_soon.on("k8s", "sh", "-c", BACK)


def test_the_disk_is_full_while_pods_start(full: CliLab) -> None:
    """They are deleted while it is full; with room again one attaches."""
    reserved, names = Reserved(full), [f"full-{number}" for number in range(5)]
    for name in names:
        add_pod(full, NAMESPACE, name, "sleep", "3600", networks=f"{NETWORK}@eth1")
    for name in names:
        until(f"kubelet tells of '{name}'", lambda name=name: "no space left on device" in failed(full, name), 120)
    said = "cannot be written ([Errno 28] No space left on device)"
    until("netattach tells as well", lambda: said in failed(full, names[0], "FailedNetworkAttachment"), 60)
    at_once = reserved.least()
    assert at_once == 0
    full.kubectl("-n", NAMESPACE, "delete", "pod", *names, "--wait=false")
    full.on("k8s", "rm", "/var/lib/cni/fill")
    since = time.monotonic()
    full.kubectl("-n", NAMESPACE, "wait", "--for=delete", *(f"pod/{name}" for name in names), "--timeout=120s")
    seconds = reserved.free_again(since)
    reserved.record(
        "the disk of records and addresses is full while five pods start, and are deleted", at_once, seconds
    )
    assert attached(full, "with-room")
    full.kubectl("-n", NAMESPACE, "delete", "pod", "with-room", "--now")
    until("its address is free again", lambda: not reserved.more(), 60)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_add_fails_at_one_of_three_networks(lab_soon: CliLab, broken: str, place: int) -> None:
    reserved, name = Reserved(lab_soon), f"broken-{place}"
    networks = [NETWORK] * 3
    networks[place] = broken
    add_pod(lab_soon, NAMESPACE, name, "sleep", "3600", networks=",".join(networks))
    until("kubelet tells that it failed", lambda: "no_such_setting" in failed(lab_soon, name), 120)
    at_once = reserved.least()
    assert at_once == 0
    lab_soon.kubectl("-n", NAMESPACE, "delete", "pod", name, "--now")
    since = time.monotonic()
    seconds = reserved.free_again(since)
    reserved.record(f"ADD fails at network {place + 1} of three, which has taken an address", at_once, seconds)


def test_two_hundred_pods_fail_to_start(lab_soon: CliLab, broken: str) -> None:
    """Through the CNI: more than a node may have at a time; no DEL follows."""
    reserved = Reserved(lab_soon)
    answer = json.loads(lab_soon.on("k8s", "python3", "-c", FAILING_PODS.read_text(), str(PODS), NAMESPACE, broken))
    since = time.monotonic()
    assert answer["failed"] == PODS
    assert all("no_such_setting" in text for text in answer["said"])
    at_once = len(reserved.more())
    assert at_once == 0
    seconds = reserved.free_again(since)
    reserved.record(f"{PODS} pods fail to start, each with an address, and get no DEL", at_once, seconds)


def test_the_power_is_cut(lab_soon: CliLab) -> None:
    """A pod goes on in a new sandbox, with another address; that of its old one is free before the pod is deleted."""
    reserved = Reserved(lab_soon)
    old = attached(lab_soon, "stays")["stays"]
    cut_power(lab_soon)
    at_once, since = len(reserved.more() & {old}), time.monotonic()
    until("the API server answers", lambda: started(lab_soon), 180)
    until("the address of the old sandbox is free", lambda: old not in reserved.more(), 180)
    seconds = time.monotonic() - since
    until("the new sandbox has one", reserved.more, 180)
    lab_soon.kubectl("-n", NAMESPACE, "delete", "pod", "stays", "--now")
    reserved.free_again(since)
    reserved.record("the power of the node is cut under a pod, which goes on", at_once, seconds)


def test_a_pod_is_deleted_by_force_while_its_node_is_down(lab_soon: CliLab) -> None:
    """kubelet is away when it is, and comes back after a power cut: it never hears of the pod again."""
    reserved = Reserved(lab_soon)
    attached(lab_soon, "goes")
    lab_soon.on("k8s", "systemctl", "stop", "kubelet")
    lab_soon.kubectl("-n", NAMESPACE, "delete", "pod", "goes", "--force", "--grace-period=0")
    at_once = len(reserved.more())
    cut_power(lab_soon)
    since = time.monotonic()
    until("the API server answers", lambda: started(lab_soon), 180)
    seconds = reserved.free_again(since)
    reserved.record("a pod is deleted by force while its node is down", at_once, seconds)
