"""The cluster as a node may use it: Events on the node and its pods, what its pods are, and on the control plane all.

By `kubectl` and the kubelet's own kubeconfig, whichever meta-plug-in the node has; on the control plane also by the
administrator's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from .events import event
from .request import Pod

_SECONDS = 15
_COMPONENT = "mcastlab-attachments"


class Kubelet:
    """The API server with the credentials in the file `kubeconfig`; what fails is a line in the journal."""

    def __init__(self, kubeconfig: str) -> None:
        self._kubeconfig = kubeconfig

    def tell_node(self, text: str) -> None:
        """An Event on this node."""
        node = os.uname().nodename
        about = {"kind": "Node", "name": node, "uid": node}
        self._tell(f"{node}.attachments.", "default", about, "AttachmentsReconciled", text)

    def tell_pod(self, pod: Pod, reason: str, text: str) -> None:
        """An Event on a pod of this node."""
        about = {"kind": "Pod", "namespace": pod.namespace, "name": pod.name, "uid": pod.uid}
        self._tell(f"{pod.name[:200]}.attachments.", pod.namespace, about, reason, text)

    def pod(self, pod: Pod) -> dict[str, Any] | None:
        """The pod of that name as the API server has it, metadata and spec; None where it does not say or has none."""
        said = self._kubectl("", "--namespace", pod.namespace, "get", "pod", pod.name, "--output=json")
        try:
            found = json.loads(said) if said else None
        except (ValueError, RecursionError) as error:
            print(f"What kubectl says of pod '{pod}' is not JSON: {error}", file=sys.stderr, flush=True)
            return None
        whole = isinstance(found, dict) and all(isinstance(found.get(part), dict) for part in ("metadata", "spec"))
        return found if whole else None

    def nodes(self) -> set[str] | None:
        """The cluster's nodes; None where the API server does not answer. For credentials that may ask."""
        return set(self._kubectl("", "get", "nodes", "--output=jsonpath={.items[*].metadata.name}").split()) or None

    def pods(self) -> set[str] | None:
        """All pods of the cluster, as NAMESPACE/NAME; likewise."""
        form = r"""--output=jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{"\n"}{end}"""
        return set(self._kubectl("", "get", "pods", "--all-namespaces", form).split()) or None

    def _tell(self, prefix: str, namespace: str, about: dict[str, str], reason: str, text: str) -> None:
        metadata = {"generateName": prefix, "namespace": namespace}
        self._kubectl(json.dumps(event(metadata, about, reason, text, _COMPONENT)), "create", "--filename=-")

    def _kubectl(self, text: str, *words: str) -> str:
        argv = ["kubectl", "--kubeconfig", self._kubeconfig, f"--request-timeout={_SECONDS}s", *words]
        try:
            done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=2 * _SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            print(f"The API server was not asked: {error}", file=sys.stderr, flush=True)
            return ""
        if done.returncode:
            print(f"The API server was not asked: {done.stderr.strip()[-300:]}", file=sys.stderr, flush=True)
            return ""
        return done.stdout
