"""What the node's administrators are told of it: Events on the node, written with the kubelet's own credentials."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from .events import event

_SECONDS = 15


class NodeEvents:
    """Writes by `kubectl` and the kubelet's kubeconfig: a node may write events, whichever meta-plug-in it has."""

    def __init__(self, kubeconfig: str) -> None:
        self._kubeconfig = kubeconfig

    def tell(self, text: str) -> None:
        """One Event on this node; a failure to tell is a line in the journal."""
        node = os.uname().nodename
        metadata = {"generateName": f"{node}.attachments.", "namespace": "default"}
        about = {"kind": "Node", "name": node, "uid": node}
        body = event(metadata, about, "AttachmentsReconciled", text, "mcastlab-attachments")
        argv = ["kubectl", "--kubeconfig", self._kubeconfig, f"--request-timeout={_SECONDS}s", "create", "-f", "-"]
        try:
            done = subprocess.run(
                argv, input=json.dumps(body), capture_output=True, text=True, timeout=2 * _SECONDS, check=False
            )
            said = done.stderr.strip() if done.returncode else ""
        except (OSError, subprocess.TimeoutExpired) as error:
            said = str(error)
        if said:
            print(f"No Event was written: {said[-300:]}", file=sys.stderr, flush=True)
