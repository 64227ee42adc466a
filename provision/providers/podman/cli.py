"""The one door to Podman: mcastlab's own storage, networks and settings; the user's are neither read nor changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from provision.core.errors import HostError
from provision.core.files import ensure_text
from provision.core.paths import cache_dir
from provision.core.run import Completed, as_root, run
from provision.core.wait import Deadline, NotYet, until
from provision.providers.podman.settings import HostFacts, podman_settings, probe_host

_REMOVE_SECONDS = 60.0


class Podman:
    """Podman as root, with everything it keeps in one folder: images, containers, volumes and networks.

    The user's `podman ps` and `podman images` stay as they are, and `podman system prune` cannot hit a lab.
    """

    def __init__(self, home: Path | None = None, facts: HostFacts | None = None) -> None:
        self.home = home or cache_dir() / "podman"
        self._given = facts
        # Lost at boot, as Podman wants it; named after the storage, so that two caches never share it.
        self.run_dir = Path("/run/mcastlab") / hashlib.sha256(str(self.home).encode()).hexdigest()[:12]

    @cached_property
    def facts(self) -> HostFacts:
        """This machine, probed once."""
        return self._given or probe_host()

    @cached_property
    def command(self) -> list[str]:
        """The start of every command line, ready to paste; writes containers.conf where it is not as it should be."""
        settings = self.home / "containers.conf"
        text = podman_settings(
            self.facts, {"run": str(self.run_dir), "networks": str(self._networks), "hooks": str(self.hooks)}
        )
        self._write(settings, text)
        storage = ["--root", str(self.home / "storage"), "--runroot", str(self.run_dir / "storage")]
        # Named, because Podman would quietly take vfs, which copies every layer, where overlay does not work.
        storage += ["--storage-driver", "overlay"]
        return as_root(["env", f"CONTAINERS_CONF={settings}", "podman", *storage])

    def run(
        self, args: Sequence[str], *, timeout: float = 60, stdin: str = "", check: bool = True, cwd: Path | None = None
    ) -> Completed:
        """Run `podman ARGS`, at most `timeout` seconds; raises CommandError as `provision.core.run.run` does."""
        return run([*self.command, *args], timeout=timeout, stdin=stdin, check=check, cwd=cwd)

    def has_image(self, name: str) -> bool:
        """Whether the storage holds the image `name`."""
        return self.run(["image", "exists", name], check=False).returncode == 0

    def load(self, archive: Path) -> None:
        """Take the image in the file `archive`."""
        self.run(["load", "--quiet", "--input", str(archive)], timeout=600)

    def remove_containers(self, names: Sequence[str]) -> None:
        """Remove these containers, running or not, and their anonymous volumes; raises WaitError where one stays.

        Podman 4.3 gives up on a container that ends by itself at that very moment ("container state improper").
        """

        def probe() -> bool | NotYet:
            done = self.run(["rm", "--force", "--ignore", "--time", "2", "--volumes", *names], timeout=120, check=False)
            return True if done.returncode == 0 else NotYet(done.stderr.strip())

        until(f"containers to be removed: {', '.join(names)}", probe, Deadline.after(_REMOVE_SECONDS), interval=0.5)

    def ensure_network(self, name: str, args: Sequence[str]) -> None:
        """`podman network create ARGS NAME` where it is not there, and a bridge name of its own in any case.

        Podman would take the first free `podmanN`, and one that belongs to a network of the user's that is down
        looks free from here. Podman 4.3 has no option for it; the file is our own (podman-network-create(1)). A command
        that was killed between the two steps leaves a network with Podman's name for the bridge.
        """
        if self.run(["network", "exists", name], check=False).returncode != 0:
            self.run(["network", "create", *args, name])
        file, bridge = self._networks / f"{name}.json", bridge_name(name)
        described = json.loads(run(as_root(["cat", str(file)]), timeout=10).stdout)
        if described["network_interface"] == bridge:
            return
        described["network_interface"] = bridge
        whole = file.with_suffix(".new")
        run(as_root(["tee", str(whole)]), timeout=10, stdin=json.dumps(described, indent=2))
        run(as_root(["mv", "-T", str(whole), str(file)]), timeout=10)

    def release(self) -> None:
        """Remove what Podman keeps outside of the cache, once no container is left; it is made anew when needed."""
        if self.run(["ps", "--all", "--quiet"]).stdout.strip():
            return
        # Moved away in one step: a command that comes in between finds all of it or nothing, as after a boot.
        old = self.run_dir.with_name(f"{self.run_dir.name}.old")
        run(as_root(["mv", "-T", str(self.run_dir), str(old)]), timeout=10)
        run(as_root(["rm", "-rf", "--one-file-system", str(old)]), timeout=30)
        run(as_root(["rmdir", "--ignore-fail-on-non-empty", str(self.run_dir.parent)]), timeout=10)

    @property
    def hooks(self) -> Path:
        """What the container's runtime runs at each start of a container."""
        return self.home / "hooks"

    @property
    def _networks(self) -> Path:
        return self.home / "networks"

    def _write(self, settings: Path, text: str) -> None:
        try:
            settings.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HostError(
                f"The folder of Podman's settings could not be made: {error.strerror}",
                where=str(settings),
                remedy="Check the folder's owner, or set MCASTLAB_CACHE to another place",
            ) from error
        ensure_text(settings, text, mode=0o644)


def bridge_name(network: str) -> str:
    """The name of the bridge of `network`: always the same, no other network's, and short enough for Linux.

    Another user's lab, in a cache of that user's own, may have the same name.
    """
    return f"mcl-{hashlib.sha256(f'{cache_dir()} {network}'.encode()).hexdigest()[:10]}"


def mac_address(container: str, network: str) -> str:
    """The same at every start: Podman's default is another one each time, and for up to a minute after a power cut this
    machine and the other hosts would send to the one before. Locally administered (IEEE 802, the second bit)."""
    digest = hashlib.sha256(f"{container} {network}".encode()).digest()
    return ":".join(f"{byte:02x}" for byte in (0x0A, *digest[:5]))
