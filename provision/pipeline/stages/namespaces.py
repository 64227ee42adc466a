"""Namespaces: those of lab.yml whose pods hear each other's multicast from the start."""

from __future__ import annotations

from provision import multicast
from provision.cluster.api import Kube
from provision.multicast.detect import wait_until_detected
from provision.networks.manifests import multicast_namespaces
from provision.pipeline.run import Done, Run


class Namespaces:
    name = "namespaces"

    def run(self, run: Run) -> Done:
        names = run.lab.multicast.namespaces
        if not names:
            return Done("none is enabled by lab.yml")
        kube = Kube(run.directory.kubeconfig)
        found = wait_until_detected(kube)
        found.needed()  # before a namespace is made for nothing
        applied = [kube.apply(manifest) for manifest in multicast_namespaces(run.lab)]
        done = multicast.enable(kube, found, names)
        changed = any(item.change != "unchanged" for item in applied) or any(item.written for item in done)
        return Done(", ".join(f"{item.namespace} {item.force}" for item in done), changed)

    def plan(self, run: Run) -> str:
        return f"enable multicast in namespaces: {', '.join(run.lab.multicast.namespaces) or 'none'}"
