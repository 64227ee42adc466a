"""The images of one node, as its containerd has them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from provision.core.errors import CommandError, HostError
from provision.core.paths import CTR
from provision.core.wait import Deadline
from provision.hosts.process import Input, Unread
from provision.hosts.remote import Remote

# By path and namespace: a lab that an earlier mcastlab brought up has no wrapper.
_ASK_SECONDS, _IMPORT_SECONDS = 60.0, 1800.0
# As `ctr images check` shows an image: reference, type, digest, "complete (2/2)", "1.2 MiB/1.2 MiB", unpacked or not.
_ROW = re.compile(r"(\S+) +\S+ +(sha256:\w+) +(\w+) \(\S+\) +(\S+ \w+)/\S+ \w+ +(true|false)\s*")


@dataclass(frozen=True)
class NodeImage:
    """An image under one of its names; `digest` is its manifest's; `whole`: all its layers are there and unpacked."""

    name: str
    digest: str
    size: str
    whole: bool


class NodeImages:
    """What containerd on `remote` has; raises HostError where it does not answer."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._node = remote.machine.name

    def listing(self) -> list[NodeImage]:
        """All that have a name of their own, which is what a pod can ask for."""
        rows = _ROW.finditer(self._ask("images", "check"))
        found = [NodeImage(row[1], row[2], row[4], row[3] == "complete" and row[5] == "true") for row in rows]
        return sorted((image for image in found if not image.name.startswith("sha256:")), key=lambda image: image.name)

    def has(self, name: str, config: str) -> bool:
        """Whether the image with this configuration (SHA-256) is there, whole, under `name`."""
        there = next((image for image in self.listing() if image.name == name and image.whole), None)
        if there is None:
            return False
        manifest = json.loads(self._ask("content", "get", there.digest))
        return bool(manifest.get("config", {}).get("digest") == f"sha256:{config}")

    def take(self, write: Callable[[Input], None]) -> None:
        """Import the archive that `write` sends; what does not arrive whole leaves no image.

        Raises HostError with what containerd says where it does not take it, and CommandError when it takes too long.
        """
        deadline = Deadline.after(_IMPORT_SECONDS)
        process = self._remote.start_fed([*CTR, "images", "import", "-"])
        source = process.feed(deadline)
        try:
            write(source)
            source.close()
        except Unread:
            pass  # how it ended tells why
        except BaseException:
            process.end()
            raise
        done = process.wait(deadline)
        if done.returncode != 0:
            raise HostError(
                f"containerd on node '{self._node}' did not take the image",
                detail=_without_warnings(done.stderr),
                remedy=f"Mend what it says, for instance with `mcastlab ssh {self._node}`, and load it again",
            )

    def _ask(self, *words: str) -> str:
        try:
            return self._remote.run([*CTR, *words], _ASK_SECONDS).stdout
        except CommandError as error:
            raise HostError(
                f"containerd on node '{self._node}' does not answer",
                detail=_without_warnings(error.detail),
                remedy="`mcastlab up` starts what does not run; `mcastlab logs DIR` collects what it says",
            ) from error


def _without_warnings(said: str) -> str:
    return "\n".join(line for line in said.splitlines() if "level=warning" not in line)
