"""Making the sandboxes of broken pods anew, where lab.yml asks for it (`cluster.repair: restart`).

One at a time: the sandbox's process is ended, kubelet then stops the pod's containers and starts them in a new one,
whose ADD attaches all networks again. Only what has lost a whole interface is made anew, only once a new ADD can
succeed, and never a pod that kubelet would not start again.
"""

from __future__ import annotations

import os
import subprocess

from .attachment import Attachment, plugin_configuration
from .context import runner
from .errors import CniError
from .kubelet import Kubelet
from .runtime import Runtime
from .settings import Settings
from .watch import sentence
from .whole import Broken

_UNDER_WAY_SECONDS = 180.0
_PAUSE_SECONDS = 600.0  # before a pod that did not get whole is made anew again
_TRIAL = "mcastlab-trial"
_SECONDS = 20


class Repair:
    """The repairs of one node."""

    def __init__(self, settings: Settings, runtime: Runtime, kubelet: Kubelet) -> None:
        self._settings = settings
        self._runtime = runtime
        self._kubelet = kubelet
        self._current = ""  # the UID of the pod that is being made anew
        self._until = 0.0
        self._after: dict[str, float] = {}  # UID to the moment before which it is left alone
        self._why: dict[str, str] = {}

    def step(self, broken: list[Broken], now: float) -> None:
        """Go on with the repair that is under way, or begin one; raises Unknown where the runtime ends no task."""
        if self._current and now < self._until and not self._whole_again(broken):
            return
        self._current = ""
        for one in broken:
            uid = one.sandbox.pod.uid
            if not one.gone or now < self._after.get(uid, 0.0):
                continue
            if why := self._why_not(one):
                self._explain(one, why)
                continue
            self._current, self._until, self._after[uid] = uid, now + _UNDER_WAY_SECONDS, now + _PAUSE_SECONDS
            text = f"{sentence(one.faults)}: the pod's sandbox is made anew"
            print(f"Pod '{one.sandbox.pod}': {text}", flush=True)
            self._kubelet.tell_pod(one.sandbox.pod, "NetworkRepair", text)
            self._runtime.kill(one.sandbox)
            return

    def _whole_again(self, broken: list[Broken]) -> bool:
        lacking = {one.sandbox.id for one in broken}
        return any(
            sandbox.pod.uid == self._current and sandbox.id not in lacking and os.path.exists(sandbox.netns)
            for sandbox in self._runtime.sandboxes()
        )

    def _why_not(self, broken: Broken) -> str:
        """What stands against making a pod anew now; empty where nothing does."""
        found = self._kubelet.pod(broken.sandbox.pod)
        if found is None:
            return "the API server does not tell whether kubelet would start it again"
        metadata, spec = found["metadata"], found["spec"]
        if metadata.get("uid") != broken.sandbox.pod.uid or metadata.get("deletionTimestamp"):
            return "it is ending"
        if spec.get("restartPolicy") == "Never":
            return "nobody would start it again (restartPolicy: Never)"
        if not any(name.startswith("00-") for name in os.listdir(self._settings.conf_dir)):
            return "nothing attaches second interfaces now: no meta-plug-in is configured"
        for attachment in broken.gone.values():
            if attachment and (why := cannot_attach(self._settings, attachment)):
                return f"a new attachment to '{attachment.title}' fails: {why}"
        return ""

    def _explain(self, broken: Broken, why: str) -> None:
        uid = broken.sandbox.pod.uid
        if self._why.get(uid) != why:
            self._why[uid] = why
            print(f"Pod '{broken.sandbox.pod}' is not made anew: {why}", flush=True)


def cannot_attach(settings: Settings, attachment: Attachment) -> str:
    """Why a new ADD would fail; empty where one succeeds, tried in a namespace of its own and without an address."""
    netns = f"{_TRIAL}-{os.getpid()}"
    network = attachment.network
    trial = runner(settings, [], netns, f"/run/netns/{netns}")
    config = plugin_configuration(network, network.plugins[0])
    config.pop("ipam", None)
    try:
        for plugin in network.plugins:
            trial.find(str(plugin["type"]))
        _netns("add", netns)
        try:
            trial.run("ADD", attachment.ifname, config)
            trial.run("DEL", attachment.ifname, config)
        finally:
            _netns("delete", netns)
    except (CniError, OSError, subprocess.SubprocessError) as error:
        return str(error)
    return ""


def _netns(verb: str, name: str) -> None:
    argv = ["ip", "netns", verb, name]
    subprocess.run(argv, check=True, capture_output=True, timeout=_SECONDS)
