"""Namespaces: those of lab.yml whose pods hear each other's multicast from the start."""

from __future__ import annotations

from provision import multicast
from provision.cluster.api import Kube
from provision.config import Lab
from provision.multicast.detect import wait_until_detected
from provision.networks.manifests import multicast_namespaces
from provision.pipeline.run import RunState


class Namespaces:
    name = "namespaces"

    def run(self, lab: Lab, state: RunState) -> str:
        names = lab.multicast.namespaces
        if not names:
            return "none is enabled by lab.yml"
        kube = Kube(state.directory.kubeconfig)
        found = wait_until_detected(kube)
        found.needed()  # before a namespace is made for nothing
        applied = [kube.apply(manifest) for manifest in multicast_namespaces(lab)]
        done = multicast.enable(kube, found, names)
        if any(item.change != "unchanged" for item in applied) or any(item.written for item in done):
            state.withdraw_early()
        return ", ".join(f"{item.namespace} {item.force}" for item in done)

    def plan(self, lab: Lab, state: RunState) -> str:
        return f"enable multicast in namespaces: {', '.join(lab.multicast.namespaces) or 'none'}"
