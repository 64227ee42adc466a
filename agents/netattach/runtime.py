"""What containerd knows, asked by its own `ctr`: which containers there are, and which networks their pods asked for.

A sandbox's metadata is what its ADD was called with (containerd, internal/cri/store/sandbox/metadata.go, "v1"): no API
server is needed to know what a pod should have, and no change of its annotations since then misleads.
"""

from __future__ import annotations

import base64
import json
import subprocess

from .request import NETWORKS, Pod

_SECONDS = 30
_SANDBOXES = 'labels."io.cri-containerd.kind"==sandbox'
_METADATA = "io.cri-containerd.sandbox.metadata"


class Unknown(Exception):
    """The runtime does not say what it has: nothing can be told stale, whole or lost."""


class Sandbox:
    """A pod's sandbox: its network namespace, and the annotation by which it asked for networks."""

    def __init__(self, container_id: str, pod: Pod, netns: str, networks: str) -> None:
        self.id = container_id
        self.pod = pod
        self.netns = netns
        self.networks = networks


class Gone(Unknown):
    """A container has ended since it was listed."""


class Runtime:
    """`ctr` with the options that lead to the kubelet's containers."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        # What is known of each container, None of those that are no sandbox or asked for nothing: as long as it is
        # there, none of it changes.
        self._known: dict[str, Sandbox | None] = {}

    def look(self) -> set[str]:
        """The ids of all containers; raises Unknown. One call of `ctr` where none is new."""
        ids = self._ask("containers", "list", "--quiet").split()
        new = [one for one in ids if one not in self._known]
        sandboxes = set(self._ask("containers", "list", "--quiet", _SANDBOXES).split()) if new else set()
        found: dict[str, Sandbox | None] = {}
        for one in new:
            try:
                found[one] = self._sandbox(one) if one in sandboxes else None
            except Gone:
                ids.remove(one)
        self._known = {one: sandbox for one, sandbox in self._known.items() if one in ids} | found
        return set(ids)

    def sandboxes(self) -> list[Sandbox]:
        """Those of the last look whose pods asked for networks."""
        return [sandbox for sandbox in self._known.values() if sandbox is not None]

    def kill(self, sandbox: Sandbox) -> None:
        """End the sandbox's own process, whereupon kubelet stops its containers and makes it anew; raises Unknown."""
        self._ask("tasks", "kill", "--signal", "SIGKILL", sandbox.id)

    def _sandbox(self, container_id: str) -> Sandbox | None:
        try:
            extension = json.loads(self._ask("containers", "info", container_id))["Extensions"][_METADATA]
            saved = json.loads(base64.b64decode(extension["value"]))["Metadata"]
            config, netns = saved["Config"], str(saved["NetNSPath"])
            named = config["metadata"]
            pod = Pod(str(named["namespace"]), str(named["name"]), str(named["uid"]))
            networks = (config.get("annotations") or {}).get(NETWORKS, "").strip()
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise Unknown(
                f"what containerd says of sandbox {container_id[:12]} is not understood: {error!r}"
            ) from error
        return Sandbox(container_id, pod, netns, networks) if netns and networks else None

    def _ask(self, *words: str) -> str:
        argv = [*self._command, *words]
        try:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unknown(f"{argv[0]}: {error}") from error
        if done.returncode:
            kind = Gone if done.stderr.rstrip().endswith("not found") else Unknown
            raise kind(f"{argv[0]} ended with status {done.returncode}: {done.stderr.strip()[-300:]}")
        return done.stdout
