"""Attachments and what happens to nodes: power cuts, pods that are deleted meanwhile; nothing stays reserved."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from provision.providers.podman.cli import Podman
from tests.e2e.conftest import CliLab
from tests.e2e.policy_lab import add_pod, get, started, tried, until

UNIT = "/etc/systemd/system/mcastlab-attachments.service"
DROP_IN = f"{UNIT}.d/soon.conf"
LEASES = "/var/lib/cni/networks/eth1-multicast"
NAMESPACE = "attached"


def soon(lab: CliLab, grace: int, *, repair: bool = False) -> None:
    """Have the node's reconciler wait so many seconds instead of ten minutes, and repair where that is wanted."""
    start = lab.on("k8s", "sed", "-n", "/^ExecStart=/,/namespace k8s.io/p", UNIT)
    changed = start.replace("--grace 600", f"--grace {grace}").replace("--every 10", "--every 1")
    assert changed != start
    changed = changed.replace("--kubeconfig", "--repair --kubeconfig") if repair else changed
    text = f"[Service]\nExecStart=\n{changed}"
    lab.on("k8s", "sh", "-c", f'mkdir -p {UNIT}.d && printf "%s" "$1" >{DROP_IN}', "sh", text)
    lab.on("k8s", "sh", "-c", "systemctl daemon-reload && systemctl restart mcastlab-attachments")


@pytest.fixture(scope="module")
def lab_soon(lab: CliLab) -> Iterator[CliLab]:
    """A reconciler that waits three seconds, and a namespace with the lab's network."""
    lab.kubectl("create", "namespace", NAMESPACE)
    network = get(lab, "-n", "default", "network-attachment-definition", "eth1-multicast")
    metadata = {"name": "eth1-multicast", "namespace": NAMESPACE}
    lab.kubectl("create", "-f", "-", stdin=json.dumps({**network, "metadata": metadata}))
    soon(lab, 3)
    try:
        yield lab
    finally:
        lab.on("k8s", "sh", "-c", f"rm -r {UNIT}.d; systemctl daemon-reload; systemctl restart mcastlab-attachments")
        lab.kubectl("delete", "namespace", NAMESPACE, "--timeout=120s")


def held(lab: CliLab) -> set[str]:
    """The addresses of the lab's network that are reserved on the node."""
    return set(lab.on("k8s", "sh", "-c", f"cd {LEASES} && ls | grep -E '^[0-9.]+$' || true").split())


def attached(lab: CliLab, *names: str, restart: str = "Always") -> dict[str, str]:
    """Start pods with a second interface; its address by pod."""
    for name in names:
        add_pod(lab, NAMESPACE, name, "sleep", "3600", networks="eth1-multicast@eth1", restart=restart)
    lab.kubectl("-n", NAMESPACE, "wait", "--for=condition=Ready", *(f"pod/{name}" for name in names), "--timeout=90s")
    found = {}
    for name in names:
        status = get(lab, "-n", NAMESPACE, "pod", name)["metadata"]["annotations"]["k8s.v1.cni.cncf.io/network-status"]
        found[name] = next(entry["ips"][0] for entry in json.loads(status) if entry["interface"] == "eth1")
    return found


def cut_power(lab: CliLab) -> None:
    """Kill all processes of the node and start it again; kubelet comes last, and finds what was written by then."""
    name = f"mcastlab-{lab.name}-k8s"
    lab.on("k8s", "systemctl", "disable", "kubelet")
    lab.on("k8s", "sync")
    Podman().run(["kill", "--signal=KILL", name], timeout=60)
    Podman().run(["start", name], timeout=120)
    until("the node takes commands", lambda: tried(lab, "echo", "there"), 60)
    lab.on("k8s", "systemctl", "enable", "--now", "kubelet")


def test_a_power_cut_and_a_forced_delete_leave_nothing_reserved(lab_soon: CliLab) -> None:
    """All processes of the node are killed; one of two pods is deleted by force before kubelet runs again."""
    before = held(lab_soon)
    addresses = attached(lab_soon, "stays", "goes")
    assert held(lab_soon) == {*before, *addresses.values()}
    cut_power(lab_soon)
    until("the API server answers", lambda: started(lab_soon), 120)
    lab_soon.kubectl("-n", NAMESPACE, "delete", "pod", "goes", "--force", "--grace-period=0")
    lab_soon.kubectl("-n", NAMESPACE, "delete", "pod", "stays", "--grace-period=1", "--timeout=120s")
    until("only what was reserved before is", lambda: not (held(lab_soon) & {*addresses.values()}), 90)
    assert attached(lab_soon, "again")
    lab_soon.kubectl("-n", NAMESPACE, "delete", "pod", "again", "--now")


def test_an_address_that_nobody_frees_is_freed_and_told(lab_soon: CliLab) -> None:
    """As a meta-plug-in that died leaves it; in the journal, and as an Event of the node."""
    network = get(lab_soon, "-n", NAMESPACE, "network-attachment-definition", "eth1-multicast")
    stray, container = json.loads(network["spec"]["config"])["ipam"]["rangeEnd"], "0123456789abcdef" * 4
    lab_soon.on("k8s", "sh", "-c", f"printf '%s\\r\\neth1' {container} >{LEASES}/{stray}")
    until("it is freed", lambda: stray not in held(lab_soon), 30)
    said = f"Freed {stray} of network 'eth1-multicast', which container {container[:12]}, which is gone, had"
    assert said in lab_soon.on("k8s", "journalctl", "--unit=mcastlab-attachments", "--no-pager")

    def told() -> bool:
        events = get(lab_soon, "-n", "default", "events", "--field-selector", "reason=AttachmentsReconciled")["items"]
        return any(event["message"] == said and event["involvedObject"]["kind"] == "Node" for event in events)

    until("the node's administrator is told", told, 30)


def test_pods_that_run_keep_what_they_have(lab_soon: CliLab) -> None:
    """Also while containerd, which is asked for them, is away or has just started."""
    address = attached(lab_soon, "runs")["runs"]
    lab_soon.on("k8s", "systemctl", "restart", "containerd")
    lab_soon.on("k8s", "sh", "-c", "systemctl stop containerd; sleep 6; systemctl start containerd")
    until("the API server answers", lambda: started(lab_soon), 120)
    assert address in held(lab_soon)
    lab_soon.kubectl("-n", NAMESPACE, "wait", "--for=condition=Ready", "pod/runs", "--timeout=90s")
    assert address in lab_soon.kubectl("-n", NAMESPACE, "exec", "runs", "--", "ip", "-4", "addr", "show", "eth1")
    lab_soon.kubectl("-n", NAMESPACE, "delete", "pod", "runs", "--now")
    until("it is freed", lambda: address not in held(lab_soon), 30)


LOSE = """\
for netns in /run/netns/*; do
  nsenter --net=$netns ip -br address show dev eth1 2>/dev/null | grep -qF " $1/" || continue
  exec nsenter --net=$netns ip link delete eth1
done
exit 1
"""


def lose(lab: CliLab, address: str) -> None:
    """Remove a pod's second interface from outside, as its own `ip link delete` or a lost master does."""
    lab.on("k8s", "sh", "-c", LOSE, "sh", address)


def told(lab: CliLab, name: str) -> str:
    """What an Event says that the pod has lost."""
    query = f"reason=NetworkInterfaceLost,involvedObject.name={name}"
    events = get(lab, "-n", NAMESPACE, "events", "--field-selector", query)["items"]
    return str(events[0]["message"]) if events else ""


def test_a_lost_interface_is_told_and_comes_back_where_that_is_wanted(lab_soon: CliLab) -> None:
    """One of two pods is one that nobody would start again: it goes on running, without its interface."""
    addresses = attached(lab_soon, "stays-up") | attached(lab_soon, "once", restart="Never")
    assert lab_soon.report("check", "attachments-whole")["checks"][0]["status"] == "passed"
    for address in addresses.values():
        lose(lab_soon, address)
    for name in ("stays-up", "once"):
        text = str(until(f"'{name}' is told", lambda name=name: told(lab_soon, name), 30))
        assert f"Interface 'eth1' of network '{NAMESPACE}/eth1-multicast' is not there" in text
        assert f"`kubectl --namespace={NAMESPACE} delete pod {name}`" in text
    check = lab_soon.report("check", "attachments-whole", code=1)["checks"][0]
    assert f"Pod '{NAMESPACE}/once': interface 'eth1' of network" in check["reason"]
    counted = json.loads(lab_soon("status", "--json").stdout)["attachments"]
    assert {pod["pod"] for pod in counted["broken"]} == {f"{NAMESPACE}/once", f"{NAMESPACE}/stays-up"}

    soon(lab_soon, 3, repair=True)
    restarts = "{.status.containerStatuses[0].restartCount}"

    def whole() -> bool:
        broken = json.loads(lab_soon("status", "--json").stdout)["attachments"]["broken"]
        return [pod["pod"] for pod in broken] == [f"{NAMESPACE}/once"]

    until("the one that is started again is whole", whole, 90)
    assert lab_soon.kubectl("-n", NAMESPACE, "get", "pod", "stays-up", "-o", f"jsonpath={restarts}") == "1"
    assert lab_soon.kubectl("-n", NAMESPACE, "get", "pod", "once", "-o", f"jsonpath={restarts}") == "0"
    lab_soon.kubectl("-n", NAMESPACE, "delete", "pod", "stays-up", "once", "--now")


def test_a_moved_default_route_keeps_the_cluster(lab_soon: CliLab) -> None:
    """The pod's default route is the source host's; it still finds services by name, by the cluster's own DNS.

    Multus v4.3 leaves the route where it was, whatever the annotation says (docs/netattach.md).
    """
    gateway = json.loads(lab_soon.on("mcastsrc", "ip", "-4", "-json", "address", "show", "dev", "eth1"))
    address = gateway[0]["addr_info"][0]["local"]
    asked = [{"name": "eth1-multicast", "interface": "eth1", "default-route": [address]}]
    add_pod(lab_soon, NAMESPACE, "routed", "sleep", "3600", networks=json.dumps(asked))
    lab_soon.kubectl("-n", NAMESPACE, "wait", "--for=condition=Ready", "pod/routed", "--timeout=90s")
    inside = ("-n", NAMESPACE, "exec", "routed", "--")
    routes = lab_soon.kubectl(*inside, "ip", "-4", "route", "show", "default")
    via = ["10.244.0.1", "dev", "eth0"] if lab_soon.attacher == "multus" else [address, "dev", "eth1"]
    assert routes.split()[:5] == ["default", "via", *via]
    assert len(routes.splitlines()) == 1
    found = lab_soon.kubectl(*inside, "getent", "ahostsv4", "kubernetes.default.svc.cluster.local")
    assert found.startswith("10.96.0.1 ")
    lab_soon.kubectl("-n", NAMESPACE, "delete", "pod", "routed", "--now")


def test_a_static_pods_mirror_has_its_network_status(lab_soon: CliLab) -> None:
    container = {
        "name": "c",
        "image": lab_soon.image("tools"),
        "imagePullPolicy": "Never",
        "command": ["sleep", "3600"],
    }
    annotations = {"k8s.v1.cni.cncf.io/networks": "eth1-multicast@eth1"}
    metadata = {"name": "static", "namespace": NAMESPACE, "annotations": annotations}
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    manifest = json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    path = "/etc/kubernetes/manifests/static.json"
    lab_soon.on("k8s", "sh", "-c", 'printf "%s" "$1" >"$2.new" && mv "$2.new" "$2"', "sh", manifest, path)
    mirror = ("-n", NAMESPACE, "pods", "--field-selector", "metadata.name=static-k8s")

    def status() -> str:
        found = get(lab_soon, *mirror)["items"]
        return str(found[0]["metadata"]["annotations"].get("k8s.v1.cni.cncf.io/network-status", "")) if found else ""

    try:
        assert '"interface": "eth1"' in until("the mirror has the status", status, 60)
    finally:
        lab_soon.on("k8s", "rm", path)
        until("the static pod is gone", lambda: not get(lab_soon, *mirror)["items"], 60)
