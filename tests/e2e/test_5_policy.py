"""Multicast per namespace on the lab itself: annotations to rules, what agents may write, and a node that restarts."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from provision.errors import CommandError
from provision.providers.podman_cli import Podman
from tests.e2e.conftest import CliLab
from tests.e2e.test_1_security import EVERYBODY, line_verbs

KUBECTL = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf")
OVN = "k8s.ovn.org/multicast-enabled"
OPENSHIFT = "netnamespace.network.openshift.io/multicast-enabled"
SYSTEM = "mcastlab-system"
BOTH = ("red", "green")
GROUP = "239.5.5.5"
SAY = f"import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'%s', ('{GROUP}', 5005))"
HEAR = f"""
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('{GROUP}', 5005))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack('=4sl', socket.inet_aton('{GROUP}'), 0))
while True:
    print(s.recv(99).decode(), flush=True)
"""


def get(lab: CliLab, *args: str) -> Any:
    return json.loads(lab.kubectl("get", *args, "-o", "json"))


def create(lab: CliLab, manifest: dict[str, Any]) -> None:
    lab.kubectl("create", "-f", "-", stdin=json.dumps(manifest))


def until(what: str, probe: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := probe()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.2)
    return found


def acknowledged(lab: CliLab, names: set[str]) -> bool:
    """Whether every node has in force that exactly `names`, of those that these tests use, are enabled."""
    policy = get(lab, "multicastpolicy", "cluster")
    listed = {item["name"] for item in policy["spec"]["namespaces"]} & set(BOTH)
    nodes = get(lab, "nodemulticasts")["items"]
    in_force = [item.get("status", {}).get("observedGeneration", 0) for item in nodes]
    return bool(nodes) and listed == names and min(in_force) >= policy["metadata"]["generation"]


@pytest.fixture(scope="module")
def made(lab: CliLab) -> Iterator[CliLab]:
    """Two namespaces, each with a pod that listens and one that is there to send."""
    shown = lab.on("k8s", "/opt/mcastlab/bundle/bin/ctr", "-n", "k8s.io", "images", "ls", "-q").split()
    image = next(name for name in shown if "/tools:" in name)
    for namespace in BOTH:
        lab.kubectl("create", "namespace", namespace)
        for name, command in (("hears", ["python3", "-c", HEAR]), ("says", ["sleep", "infinity"])):
            container = {"name": "c", "image": image, "imagePullPolicy": "Never", "command": command}
            pod = {
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace},
                "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
            }  # fmt: skip
            create(lab, pod)
    for namespace in BOTH:
        lab.kubectl("-n", namespace, "wait", "--for=condition=Ready", "--timeout=90s", "pod/hears", "pod/says")
    yield lab
    lab.kubectl("delete", "namespace", *BOTH, "--timeout=90s")


@pytest.fixture
def pods(made: CliLab) -> CliLab:
    """The pods of `made`, multicast switched off in both namespaces."""
    made.kubectl("annotate", "namespace", *BOTH, f"{OVN}-")
    made.kubectl("annotate", "netnamespace", *BOTH, f"{OPENSHIFT}-")
    until("both are off", lambda: acknowledged(made, set()))
    return made


def heard(lab: CliLab, *texts: str) -> tuple[list[str], list[str]]:
    """Have a pod in red and one in green say the last of `texts`: what of all of them red has heard, and green."""
    for namespace in BOTH:
        lab.kubectl("-n", namespace, "exec", "says", "--", "python3", "-c", SAY % f"{texts[-1]}-{namespace}")
    time.sleep(0.5)
    logs = [lab.kubectl("-n", namespace, "logs", "hears").split() for namespace in BOTH]
    red, green = ([word for word in log if word.split("-")[0] in texts] for log in logs)
    return red, green


def test_the_objects_that_the_commands_of_openshift_read(lab: CliLab) -> None:
    cidr = lab.kubectl(
        "get", "Network.config.openshift.io", "cluster", "-o", "jsonpath={.status.clusterNetwork[0].cidr}"
    )
    assert cidr == "10.244.0.0/16"
    assert get(lab, "Network.config.openshift.io", "cluster")["status"]["networkType"] == "mcastlab"
    ids = {item["netname"]: item["netid"] for item in get(lab, "netnamespaces")["items"]}
    assert set(ids) == {item["metadata"]["name"] for item in get(lab, "namespaces")["items"]}
    assert len(set(ids.values())) == len(ids)
    lab.kubectl("delete", "netnamespace", "default")
    until("it comes back", lambda: "default" in lab.kubectl("get", "netnamespaces"))
    assert get(lab, "netnamespace", "default")["netid"] == ids["default"], "and with its number"
    patch = json.dumps({"netid": 7})
    assert "netid is assigned once" in lab.kubectl(
        "patch", "netnamespace", "default", "--type=merge", "-p", patch, code=1
    )


def test_off_by_default_then_on_by_either_annotation(pods: CliLab) -> None:
    assert heard(pods, "off") == ([], [])
    pods.kubectl("annotate", "namespace", "red", f"{OVN}=true")
    until("red is on", lambda: acknowledged(pods, {"red"}))
    assert heard(pods, "off", "one") == (["one-red"], [])
    pods.kubectl("annotate", "netnamespace", "green", f"{OPENSHIFT}=true")
    until("both are on", lambda: acknowledged(pods, {"red", "green"}))
    assert heard(pods, "off", "one", "two") == (["one-red", "two-red"], ["two-green"])
    by = {item["name"]: item["by"] for item in get(pods, "multicastpolicy", "cluster")["spec"]["namespaces"]}
    assert (by["red"], by["green"]) == ([OVN], [OPENSHIFT])
    ports = {item["name"]: item["ports"] for item in get(pods, "nodemulticast", "k8s")["status"]["namespaces"]}
    assert (ports["red"], ports["green"]) == (2, 2)
    pods.kubectl("annotate", "namespace", "red", f"{OVN}=yes", "--overwrite")
    until("red is off", lambda: acknowledged(pods, {"green"}))
    assert heard(pods, "off", "one", "two", "three") == (["one-red", "two-red"], ["two-green", "three-green"])


def nads(lab: CliLab) -> set[str]:
    items = get(lab, "network-attachment-definitions", "-A")["items"]
    return {f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in items}


def test_networks_follow_the_switch_and_listed_ones_stay(pods: CliLab) -> None:
    pods.kubectl("annotate", "netnamespace", "green", f"{OPENSHIFT}=true")
    until("green has it", lambda: "green/eth1-multicast" in nads(pods))
    pods.kubectl("annotate", "namespace", "default", f"{OVN}=true")
    pods.kubectl("annotate", "namespace", "default", f"{OVN}-")
    pods.kubectl("annotate", "netnamespace", "green", f"{OPENSHIFT}-")
    until("green has it no more", lambda: "green/eth1-multicast" not in nads(pods))
    assert "default/eth1-multicast" in nads(pods)


def token(lab: CliLab, account: str, *more: str) -> str:
    return lab.kubectl("-n", SYSTEM, "create", "token", account, "--duration=10m", *more).strip()


def agent_pod(lab: CliLab) -> str:
    """The agent that runs; one that was deleted a moment ago may still be there."""

    def running() -> str:
        pods = get(lab, "-n", SYSTEM, "pods", "-l", "app.kubernetes.io/name=multicast-policy")["items"]
        names = [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        return str(names[0]) if len(names) == 1 else ""

    return str(until("one agent runs", running, 60))


def as_account(lab: CliLab, secret: str, *args: str, code: int = 0) -> str:
    """What kubectl says as a ServiceAccount: with its token, and without the administrator's certificate."""
    server = ("--server=https://127.0.0.1:6443", "--certificate-authority=/etc/kubernetes/pki/ca.crt")
    done = lab("ssh", "k8s", "--", "kubectl", "--kubeconfig=/dev/null", *server, f"--token={secret}", *args, code=code)
    return done.stdout + done.stderr


PATCH = """
import ssl, sys, urllib.error, urllib.request
secret, name = sys.argv[1:]
request = urllib.request.Request(
    f"https://127.0.0.1:6443/apis/mcastlab.io/v1alpha1/nodemulticasts/{name}/status", b'{"status":{"error":""}}',
    {"Authorization": f"Bearer {secret}", "Content-Type": "application/merge-patch+json"}, method="PATCH",
)
try:
    answer = urllib.request.urlopen(request, context=ssl.create_default_context(cafile="/etc/kubernetes/pki/ca.crt"))
except urllib.error.HTTPError as error:
    answer = error
print(answer.read().decode())
"""


def status_written(lab: CliLab, secret: str, name: str) -> str:
    """What the API server answers to an agent that writes a status; kubectl would read the object first."""
    return lab.on("k8s", "python3", "-c", PATCH, secret, name)


def test_an_agent_writes_the_status_of_its_own_node_and_nothing_else(lab: CliLab) -> None:
    bound = token(lab, "multicast-policy", "--bound-object-kind=Pod", f"--bound-object-name={agent_pod(lab)}")
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "elsewhere"}}
    try:
        create(lab, node)
        until("it has its object", lambda: "elsewhere" in lab.kubectl("get", "nodemulticasts"))
        refused = status_written(lab, bound, "elsewhere")
    finally:
        lab.kubectl("delete", "node", "elsewhere", "--ignore-not-found")
    until("its object is gone", lambda: "elsewhere" not in lab.kubectl("get", "nodemulticasts"))
    assert "an agent may write the NodeMulticast of its own node only" in refused
    assert '"observedGeneration"' in status_written(lab, bound, "k8s")
    of_no_node = token(lab, "multicast-policy")
    assert "its own node only" in status_written(lab, of_no_node, "k8s")
    for forbidden in (
        ("get", "pods", "-A"),
        ("get", "namespaces"),
        ("delete", "nodemulticast", "k8s"),
        ("annotate", "namespace", "default", f"{OVN}=true"),
        ("patch", "multicastpolicy", "cluster", "--type=merge", "-p", '{"spec":{"namespaces":[]}}'),
        ("patch", "nodemulticast", "k8s", "--type=merge", "-p", '{"metadata":{"labels":{"a":"b"}}}'),
    ):
        assert "cannot" in as_account(lab, bound, *forbidden, code=1), forbidden


MAY = {
    "multicast-policy": {
        ("multicastpolicies.mcastlab.io", "list"), ("multicastpolicies.mcastlab.io", "watch"),
        ("nodemulticasts.mcastlab.io/status", "patch"), ("events", "create"),
    },
    "multicast-controller": {
        *((kind, verb) for kind in ("namespaces", "nodes", "configmaps") for verb in ("list", "watch")),
        *(("netnamespaces.network.openshift.io", verb) for verb in ("list", "watch", "create", "delete")),
        *(("multicastpolicies.mcastlab.io", verb) for verb in ("list", "watch", "create", "patch")),
        *(("nodemulticasts.mcastlab.io", verb) for verb in ("list", "watch", "create", "delete")),
        *(("network-attachment-definitions.k8s.cni.cncf.io", verb)
          for verb in ("list", "watch", "create", "patch", "delete")),
    },
}  # fmt: skip


@pytest.mark.parametrize("account", MAY)
def test_what_each_token_can_do(lab: CliLab, account: str) -> None:
    """All of it, as the API server has it, where it can do most; whoever adds to it is asked here."""
    shown = as_account(lab, token(lab, account), "auth", "can-i", "--list", "--no-headers", "-n", SYSTEM)
    rows = [line.split() for line in shown.splitlines() if line and not line.startswith(" ")]
    allowed = {(row[0], verb) for row in rows for verb in line_verbs(row)}
    assert allowed - EVERYBODY == MAY[account]


def test_the_controller_makes_the_labs_networks_as_they_are_and_no_others(lab: CliLab) -> None:
    secret = token(lab, "multicast-controller")
    ours = get(lab, "-n", "default", "network-attachment-definition", "eth1-multicast")["spec"]
    metadata = {"name": "eth1-multicast", "namespace": SYSTEM, "labels": {"mcastlab.io/by": "multicast-controller"}}
    good = {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": metadata,
        "spec": ours,
    }
    try:
        for change in (
            {"spec": {"config": ours["config"].replace('"eth1"', '"eth0"')}},
            {"spec": {}},
            {"metadata": {**metadata, "name": "another"}},
            {"metadata": {**metadata, "labels": {}}},
        ):
            assert "only the lab's own networks" in created_as(lab, secret, {**good, **change}), change
        assert "created" in created_as(lab, secret, good)
    finally:
        lab.kubectl("-n", SYSTEM, "delete", "network-attachment-definition", "eth1-multicast", "--ignore-not-found")


def test_the_controller_leaves_other_networks_and_the_rest_alone(lab: CliLab) -> None:
    secret = token(lab, "multicast-controller")
    refused = as_account(lab, secret, "delete", "network-attachment-definition", "eth1-multicast", code=1)
    assert "only networks that it made" in refused
    for forbidden in (
        ("get", "secrets", "-A"),
        ("get", "configmaps", "-n", "kube-system"),
        ("annotate", "namespace", "default", f"{OVN}=true"),
        ("get", "pods", "-A"),
    ):
        assert "cannot" in as_account(lab, secret, *forbidden, code=1), forbidden


# Runs on the node: takes the programs of every port and of the bridge away, and then all pins.
STRIP = """
import os, shutil, socket, struct
from multicast_policy import bpf, hooks
programs = hooks.Programs()
for device, wanted in [("cni0", hooks.BRIDGE)] + [(port, hooks.POD) for port in os.listdir("/sys/class/net/cni0/brif")]:
    for way, name in wanted:
        index, at = socket.if_nametoindex(device), {"ingress": 46, "egress": 47}[way]
        bpf.call(9, struct.pack("=IIIIIIQ", index, programs.fds[name], at, 0, 0, 0, 0), "detaching")
for name in os.listdir(hooks.FOLDER + "/bpf"):
    path = os.path.join(hooks.FOLDER, "bpf", name)
    os.unlink(path) if os.path.islink(path) else shutil.rmtree(path, ignore_errors=True)
"""
FLOOD = f"""
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    try:
        s.sendto(b'flood-red', ('{GROUP}', 5005))
    except OSError:
        pass
    time.sleep(0.02)
"""


def tried(lab: CliLab, *command: str) -> str:
    """What a command on the node prints, whether it succeeds or not."""
    return lab.start("ssh", "k8s", "--", *command).communicate(timeout=60)[0]


def bound(lab: CliLab) -> dict[str, int]:
    """How many pods of each enabled namespace the node's agent has in force."""
    return {item["name"]: item["ports"] for item in get(lab, "nodemulticast", "k8s")["status"]["namespaces"]}


def add_pod(lab: CliLab, namespace: str, name: str, *command: str) -> None:
    shown = lab.on("k8s", "/opt/mcastlab/bundle/bin/ctr", "-n", "k8s.io", "images", "ls", "-q").split()
    image = next(item for item in shown if "/tools:" in item)
    container = {"name": "c", "image": image, "imagePullPolicy": "Never", "command": [*command]}
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    create(lab, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec})


def floods(lab: CliLab, namespace: str, pod: str) -> int:
    """How many datagrams of the flood a pod has heard, in this life of its container and in the one before."""
    words = ("-n", namespace, "logs", pod)
    before = tried(lab, *KUBECTL, *words, "--previous")
    return (lab.kubectl(*words) + before).count("flood-red")


def test_nothing_passes_that_may_not_whatever_happens_to_the_node(pods: CliLab) -> None:
    """A pod of `red` sends through all of it; one of `green` counts: agent away, killed, programs gone, a reboot."""
    pods.kubectl("annotate", "namespace", *BOTH, f"{OVN}=true")
    until("both are on", lambda: acknowledged(pods, {"red", "green"}))
    add_pod(pods, "red", "floods", "python3", "-c", FLOOD)
    pods.kubectl("-n", "red", "wait", "--for=condition=Ready", "--timeout=90s", "pod/floods")
    until("red hears the flood", lambda: floods(pods, "red", "hears"))
    agents = ("-n", SYSTEM, "patch", "daemonset", "multicast-policy", "--type=merge", "-p")
    try:
        pods.kubectl(*agents, '{"spec":{"template":{"spec":{"nodeSelector":{"no-such":"node"}}}}}')
        until("no agent runs", lambda: "multicast-policy" not in pods.kubectl("-n", SYSTEM, "get", "pods"), 60)
        assert heard(pods, "alone") == (["alone-red"], ["alone-green"]), "what is in force stays so"
        add_pod(pods, "green", "late", "python3", "-c", HEAR)
        pods.kubectl("-n", "green", "wait", "--for=condition=Ready", "--timeout=90s", "pod/late")
        time.sleep(2)
        assert pods.kubectl("-n", "green", "logs", "late") == "", "nothing is permitted without an agent"
        pods.kubectl(*agents, '{"spec":{"template":{"spec":{"nodeSelector":null}}}}')
        until("the agent knows the late pod", lambda: bound(pods).get("green") == 3, 60)
        pods.kubectl("-n", SYSTEM, "delete", "pod", "-l", "app.kubernetes.io/name=multicast-policy", "--now")
        pods.on("k8s", "env", "PYTHONPATH=/usr/local/lib/mcastlab", "python3", "-c", STRIP)
        # Without programs all is open, for as long as it takes the agent to start; from then on it is closed again.
        until("programs are back", lambda: programs_of_ports(pods) == "all", 60)
        heard_by_then = floods(pods, "green", "hears")
        assert heard(pods, "again") == (["again-red"], ["again-green"])
        reboot(pods)
        order = until("systemd answers", lambda: started(pods), 120)
        assert order["mcastlab-multicast-policy.service"] < order["kubelet.service"]
        for namespace in BOTH:
            pods.kubectl("-n", namespace, "wait", "--for=condition=Ready", "--timeout=120s", "pod/hears", "pod/says")
        until("all are bound again", lambda: bound(pods) == {"red": 3, "green": 3}, 60)
        until("red hears the flood again", lambda: "flood-red" in pods.kubectl("-n", "red", "logs", "hears"))
        assert heard(pods, "reborn") == (["reborn-red"], ["reborn-green"])
        assert floods(pods, "green", "hears") <= heard_by_then
        assert "flood" not in pods.kubectl("-n", "green", "logs", "late")
    finally:
        pods.kubectl(*agents, '{"spec":{"template":{"spec":{"nodeSelector":null}}}}')
        pods.kubectl("-n", "red", "delete", "pod", "floods", "--now", "--ignore-not-found")
        pods.kubectl("-n", "green", "delete", "pod", "late", "--now", "--ignore-not-found")


LOOK = """
import os
from multicast_policy import hooks
programs, kind = hooks.Programs(), open(hooks.FOLDER + "/hooks").read()
lacking = hooks.without(kind, sorted(os.listdir("/sys/class/net/cni0/brif")), hooks.POD, programs)
print("some" if lacking + hooks.without(kind, ["cni0"], hooks.BRIDGE, programs) else "all")
"""


def programs_of_ports(lab: CliLab) -> str:
    """Whether `all` ports and the bridge have their programs, or only `some`; nothing where none are pinned."""
    return tried(lab, "env", "PYTHONPATH=/usr/local/lib/mcastlab", "python3", "-c", LOOK).strip()


def reboot(lab: CliLab) -> None:
    """Restart the node; at load Podman gives up waiting for what it has killed, and then it is started again."""
    name = f"mcastlab-{lab.name}-k8s"
    with contextlib.suppress(CommandError):
        Podman().run(["restart", "-t", "30", name], timeout=180)
        return

    def up() -> bool:
        with contextlib.suppress(CommandError):
            Podman().run(["start", name], timeout=60)
            return True
        return False

    until("the node starts", up, 120)


def started(lab: CliLab) -> dict[str, int]:
    """When each unit became active, in microseconds since boot; nothing while the API server does not answer."""
    process = lab.start("ssh", "k8s", "--", *KUBECTL, "get", "--raw=/readyz")
    if process.wait(60):
        return {}
    names = ("mcastlab-multicast-policy.service", "kubelet.service")
    shown = [lab.on("k8s", "systemctl", "show", "--property=ActiveEnterTimestampMonotonic", name) for name in names]
    return {name: int(text.split("=")[1]) for name, text in zip(names, shown, strict=True)}


def test_a_pod_whose_multicast_is_refused_is_told_why(pods: CliLab) -> None:
    """One event, on the pod itself; and the figures of its namespace say the same."""
    pods.kubectl("-n", "red", "delete", "events", "--all")
    before = figures_of(pods, "red")
    heard(pods, "refused")

    def told() -> list[dict[str, Any]]:
        events = get(pods, "-n", "red", "events", "--field-selector", "reason=MulticastRefused")["items"]
        return [event for event in events if event["involvedObject"]["name"] == "says"]

    event = until("the pod is told", told, 15)[0]
    assert event["involvedObject"]["uid"] == get(pods, "-n", "red", "pod", "says")["metadata"]["uid"]
    assert "because multicast is off in namespace 'red'" in event["message"]
    heard(pods, "refused")
    time.sleep(5)
    assert len(told()) == 1, "at most every ten minutes"
    pods.kubectl("-n", SYSTEM, "delete", "pod", "-l", "app.kubernetes.io/name=multicast-policy", "--now")
    until("another agent runs", lambda: "0" not in ready_agents(pods) and acknowledged(pods, set()), 60)
    heard(pods, "refused")
    time.sleep(5)
    assert len(told()) == 1, "and another agent does not repeat it"
    after = figures_of(pods, "red")
    new = {name: after["says"][name] - before["says"][name] for name in ("received", "off")}
    assert new == {"received": 3, "off": 3}
    assert after["hears"]["delivered"] == before["hears"]["delivered"]


def figures_of(lab: CliLab, namespace: str) -> dict[str, dict[str, Any]]:
    shown = json.loads(lab("multicast", "status", namespace, "--json").stdout)
    return {entry["pod"]: entry for entry in shown["namespaces"][0]["pods"]}


def ready_agents(lab: CliLab) -> str:
    words = ("-n", SYSTEM, "get", "daemonset", "multicast-policy", "-o", "jsonpath={.status.numberReady}")
    return lab.kubectl(*words) or "0"


def test_an_agent_says_of_pods_and_its_node_what_it_has_to_and_nothing_else(lab: CliLab) -> None:
    secret = token(lab, "multicast-policy", "--bound-object-kind=Pod", f"--bound-object-name={agent_pod(lab)}")
    about = {"apiVersion": "v1", "kind": "Pod", "name": "x", "namespace": "default", "uid": "u"}
    good = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"generateName": "x.", "namespace": "default"},
        "involvedObject": about, "reason": "MulticastRefused", "message": "m", "type": "Warning",
        "source": {"component": "multicast-policy", "host": "k8s"}, "reportingComponent": "multicast-policy",
        "reportingInstance": "k8s",
    }  # fmt: skip
    node = {"apiVersion": "v1", "kind": "Node", "name": "k8s", "uid": "k8s"}
    assert "created" in created_as(lab, secret, good)
    assert "created" in created_as(lab, secret, {**good, "involvedObject": node, "reason": "MulticastPolicy"})
    for change in (
        {"reason": "Killing"},
        {"source": {"component": "kubelet", "host": "k8s"}},
        {"source": {"component": "multicast-policy", "host": "elsewhere"}},
        {"involvedObject": {**about, "kind": "Secret"}},
        {"involvedObject": {**node, "name": "elsewhere"}, "reason": "MulticastPolicy"},
    ):
        assert "an agent may only say why" in created_as(lab, secret, {**good, **change}), change
    lab.kubectl("-n", "default", "delete", "events", "--field-selector", "involvedObject.name=x")


def created_as(lab: CliLab, secret: str, manifest: dict[str, Any]) -> str:
    server = "--server=https://127.0.0.1:6443 --certificate-authority=/etc/kubernetes/pki/ca.crt"
    line = f'printf %s "$1" | kubectl --kubeconfig=/dev/null {server} --token="$2" create --validate=false -f - 2>&1'
    return tried(lab, "sh", "-c", line, "sh", json.dumps(manifest), secret)


def test_metrics_are_the_nodes_alone(pods: CliLab) -> None:
    """Another bridge on the node changes nothing, and no pod reads who sends what."""
    read = "import urllib.request; print(urllib.request.urlopen('http://{}:9469/metrics', timeout=3).read().decode())"
    assert "multicast_policy_ports" in pods.on("k8s", "python3", "-c", read.format("127.0.0.1"))
    for address in ("10.244.0.1", get(pods, "node", "k8s")["status"]["addresses"][0]["address"]):
        words = ("-n", "red", "exec", "says", "--", "python3", "-c", read.format(address))
        assert "Connection refused" in pods.kubectl(*words, code=1)


def test_where_the_kernel_refuses_all_else_goes_on(lab: CliLab) -> None:
    """As the node's unit would find it: checks of namespaces say why they are not applicable, and `enable` refuses."""
    reason = "making map 'ports': Operation not permitted"
    refused = "/run/mcastlab/multicast-policy/refused"
    lab.kubectl("create", "namespace", "refused")
    try:
        lab.on("k8s", "sh", "-c", f'echo "$1" >{refused}', "sh", reason)
        lab.kubectl("-n", SYSTEM, "delete", "pod", "-l", "app.kubernetes.io/name=multicast-policy", "--now")
        until("it is reported", lambda: get(lab, "nodemulticast", "k8s")["status"].get("refused") == reason, 60)
        report = lab.report("check", "nodes-ready", "multicast-off-by-default", "node-isolation")
        found = {item["name"]: (item["status"], item["reason"]) for item in report["checks"]}
        assert found["nodes-ready"][0] == "passed"
        for name in ("multicast-off-by-default", "node-isolation"):
            assert found[name][0] == "not-applicable"
            assert reason in found[name][1]
        assert reason in lab("multicast", "enable", "refused", code=3).stderr
        assert reason in lab("multicast", "status", "refused").stdout
    finally:
        lab.on("k8s", "rm", "-f", refused)
        lab.kubectl("delete", "namespace", "refused", "--timeout=60s")
    until("the agent is at work again", lambda: "0" not in ready_agents(lab) and acknowledged(lab, set()), 90)
    assert get(lab, "nodemulticast", "k8s")["status"]["refused"] == ""
