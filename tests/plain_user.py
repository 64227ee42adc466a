"""A plain user of this machine for end-to-end tests: with sudo that asks for no password, a home and a cache there."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from provision.artifacts.bundle import Maker

NAME = "mcastlab-e2e"
_SUDOERS = Path("/etc/sudoers.d") / NAME
_GO_ENV = Path(".config/go/env")


class PlainUser:
    """The user; `home` is closed to others, as Debian's adduser makes it."""

    home = Path("/home") / NAME
    cache = home / "cache"
    lab = home / "lab" / "lab.yml"
    command = home / "venv" / "bin" / "mcastlab"

    @classmethod
    def make(cls) -> PlainUser:
        cls.remove()
        useradd = ["useradd", "--home-dir", cls.home, "--create-home", "--key", "HOME_MODE=0700", NAME]
        subprocess.run(useradd, check=True, capture_output=True)
        (cls.home / ".lock").write_text(str(os.getpid()))  # whose run it is, as pytest's own folders have it
        _SUDOERS.write_text(f"{NAME} ALL=(ALL) NOPASSWD: ALL\n")
        # How Go reaches its modules here, and with it the cache's keys, is this machine's.
        if (ours := Path.home() / _GO_ENV).exists():
            (cls.home / _GO_ENV).parent.mkdir(parents=True)
            shutil.copy(ours, cls.home / _GO_ENV)
        return cls()

    @classmethod
    def remove(cls) -> bool:
        """Remove lab, user, rights and home; whether there was such a user, of this run or of one that was killed."""
        if cls.lab.exists() and cls.command.exists():
            cls().run([str(cls.command), "down", "--lab", str(cls.lab)])
        _SUDOERS.unlink(missing_ok=True)
        removed = subprocess.run(["userdel", "--force", NAME], capture_output=True, check=False).returncode == 0
        subprocess.run(["rm", "-rf", "--one-file-system", cls.home], check=True)  # with what is root's there, by sudo
        return removed

    def owns_all(self) -> None:
        """Give the user what root has put into the home; only before there is a cache."""
        subprocess.run(["chown", "-R", "--no-dereference", f"{NAME}:", self.home], check=True)

    def give_cache(self) -> None:
        """What a lab is made of, in a cache of the user's, as docs/artifacts.md says; its files are links to root's."""
        maker = Maker.here()
        for item in (maker.item, maker.images.node_item()):
            made = maker.store.path(item)
            shutil.copytree(made, self.cache / made.relative_to(maker.store.home), copy_function=_link)
        subprocess.run(["find", self.cache, "-type", "d", "-exec", "chown", f"{NAME}:", "{}", "+"], check=True)

    def run(self, argv: Sequence[str], *before: Path) -> subprocess.CompletedProcess[str]:
        """Run `argv` as the user does after login, with the folders `before` first on the path."""
        environment = {
            "HOME": str(self.home),
            "PATH": ":".join([*map(str, before), "/usr/local/bin:/usr/bin:/bin:/usr/local/go/bin"]),
            "MCASTLAB_CACHE": str(self.cache),
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            **{name: value for name, value in os.environ.items() if name.startswith("GO")},
        }
        become = ["setpriv", f"--reuid={NAME}", f"--regid={NAME}", "--init-groups"]
        return subprocess.run(
            [*become, *argv],
            cwd=self.home, env=environment, capture_output=True, text=True, check=False, timeout=900,
        )  # fmt: skip

    def owned_by_root(self) -> list[str]:
        """What of root's lies in the home, but for Podman's own folders and the files that the cache was given."""
        ours = [f"{self.cache}/podman/{name}" for name in ("storage", "networks")]
        without = [word for place in ours for word in ("-path", place, "-prune", "-o")]
        argv = ["find", str(self.home), *without, "-user", "root", "-links", "-2", "-print"]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()


def _link(source: str, target: str) -> None:
    try:
        Path(target).hardlink_to(source)
    except OSError:  # the home is on another disk
        shutil.copy2(source, target)
