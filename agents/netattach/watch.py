"""Watching over interfaces: what a pod has lost is told by an Event on it, once."""

from __future__ import annotations

import os

from .kubelet import Kubelet
from .runtime import Runtime
from .settings import Settings
from .whole import Broken, examine

LOST = "NetworkInterfaceLost"


class Watch:
    """Looks into the sandboxes of pods that asked for networks, and remembers what was told of each."""

    def __init__(self, settings: Settings, runtime: Runtime, kubelet: Kubelet | None) -> None:
        self._settings = settings
        self._runtime = runtime
        self._kubelet = kubelet
        self._last: dict[str, list[str]] = {}  # faults at the last look, by sandbox
        self._told: dict[str, list[str]] = {}

    def look(self) -> list[Broken]:
        """The broken ones of the runtime's last look that were so at ours before as well.

        A sandbox that is just ending is none.
        """
        alive = [sandbox for sandbox in self._runtime.sandboxes() if os.path.exists(sandbox.netns)]
        found = [broken for sandbox in alive if (broken := examine(self._settings, sandbox))]
        faults = {broken.sandbox.id: broken.faults for broken in found}
        lasting = [broken for broken in found if self._last.get(broken.sandbox.id) == broken.faults]
        self._last = faults
        for broken in lasting:
            if self._told.get(broken.sandbox.id) != broken.faults:
                self._tell(broken)
        self._told = {one: told for one, told in self._told.items() if one in faults}
        return lasting

    def _tell(self, broken: Broken) -> None:
        pod = broken.sandbox.pod
        self._told[broken.sandbox.id] = broken.faults
        kubectl = f"kubectl --namespace={pod.namespace}"
        text = (
            f"{sentence(broken.faults)}. The pod goes on without it until it is made anew: "
            f"`{kubectl} delete pod {pod.name}` where a controller makes another, else "
            f"`{kubectl} get pod {pod.name} --output=yaml | kubectl replace --force --filename=-`"
        )
        print(f"Pod '{pod}': {text}", flush=True)
        if self._kubelet:
            self._kubelet.tell_pod(pod, LOST, text)


def sentence(faults: list[str]) -> str:
    """The faults as one sentence."""
    told = "; ".join(faults)
    return told[:1].upper() + told[1:]
