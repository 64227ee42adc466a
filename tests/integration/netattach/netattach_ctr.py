"""Stands in for containerd's `ctr`: it tells of the containers that a test wants known, as containerd v2.2 does."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from netattach_node import Pod

_SCRIPT = """\
#!/bin/sh
echo "$*" >>{folder}/asked
case "$1 $2" in
"containers list") [ $# = 4 ] || cat {folder}/others; cat {folder}/ids ;;
"containers info")
  [ -e {folder}/$3 ] || {{ echo "ctr: container \\"$3\\" in namespace \\"k8s.io\\": not found" >&2; exit 1; }}
  cat {folder}/$3 ;;
"tasks kill") echo $5 >>{folder}/killed ;;
*) exit 64 ;;
esac
"""


class Ctr:
    """A folder with the command `ctr` and what it answers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(exist_ok=True)
        self.command = folder / "ctr"
        self.command.write_text(_SCRIPT.format(folder=folder))
        self.command.chmod(0o755)
        self.knows()

    def knows(self, *pods: Pod) -> None:
        """From now on these are the node's sandboxes; each has a container besides."""
        (self._folder / "others").write_text("".join(f"{pod.id[::-1]}\n" for pod in pods))
        (self._folder / "ids").write_text("".join(f"{pod.id}\n" for pod in pods))
        for pod in pods:
            named = {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid}
            saved = {"ID": pod.id, "Config": {"metadata": named, "annotations": pod.annotations}, "NetNSPath": pod.path}
            value = base64.b64encode(json.dumps({"Version": "v1", "Metadata": saved}).encode()).decode()
            extensions = {"io.cri-containerd.sandbox.metadata": {"type_url": "github.com/containerd", "value": value}}
            (self._folder / pod.id).write_text(json.dumps({"ID": pod.id, "Extensions": extensions}))

    def asked(self) -> list[str]:
        """What `ctr` was asked for since the last time, in order."""
        path = self._folder / "asked"
        found = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return found

    @property
    def killed(self) -> list[str]:
        """The containers whose tasks were ended, in order."""
        path = self._folder / "killed"
        return path.read_text().split() if path.exists() else []
