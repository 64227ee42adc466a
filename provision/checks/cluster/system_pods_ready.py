"""system-pods-ready: what the cluster itself consists of runs, and is ready."""

from __future__ import annotations

from collections.abc import Sequence

from provision.checks.result import Figure, Outcome, failed, passed
from provision.cluster.api import Object
from provision.cluster.pods import pod_state
from provision.core.errors import WaitError
from provision.core.wait import Deadline, NotYet, until
from provision.traffic.testbed import Testbed

_SECONDS = 300.0
# Label and value of what kubeadm always runs; a list of ready pods without one of them proves nothing.
_COMPONENTS = (
    ("component", "etcd"),
    ("component", "kube-apiserver"),
    ("component", "kube-controller-manager"),
    ("component", "kube-scheduler"),
    ("k8s-app", "kube-proxy"),
    ("k8s-app", "kube-dns"),
)


def run(testbed: Testbed) -> Outcome:
    """Waits up to five minutes: CoreDNS is ready some 15 s after `kubeadm init`, and ten times that where emulated."""

    def probe() -> int | NotYet:
        pods = testbed.kube.system_pods()
        missing = unready(pods)
        return NotYet("; ".join(missing)) if missing else len(pods)

    try:
        count = until("all pods of kube-system to be ready", probe, Deadline.after(_SECONDS), interval=0.5)
    except WaitError as error:
        return failed(error.problem)
    return passed(f"{count} of {count} system pods are ready", Figure("ready", count, "pods"))


def unready(pods: Sequence[Object]) -> list[str]:
    """The components of which there is no pod, and the pods that are not ready and have not done their work either."""
    problems = [
        f"there is no pod of '{value}'"
        for label, value in _COMPONENTS
        if not any(pod["metadata"].get("labels", {}).get(label) == value for pod in pods)
    ]
    for pod in pods:
        conditions = pod.get("status", {}).get("conditions", [])
        ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
        if not ready and pod.get("status", {}).get("phase") != "Succeeded":
            problems.append(f"pod '{pod['metadata']['name']}' is not ready: {pod_state(pod)[1]}")
    return problems
