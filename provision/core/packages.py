"""Commands of this machine that are needed, and Debian's packages that bring them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable

from provision.core.errors import HostError
from provision.core.text import named

_PACKAGES = {
    "clang": "clang linux-libc-dev",  # what it compiles includes the kernel's headers
    "ip": "iproute2",
    "iptables": "iptables",
    "mke2fs": "e2fsprogs",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "podman": "podman",
    "qemu-img": "qemu-utils",
    "skopeo": "skopeo",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "vagrant": "vagrant",
}
LIBVIRT = ("vagrant-libvirt", "libvirt-clients", "libvirt-daemon-system", "dnsmasq-base", "qemu-system-x86")


def find(command: str) -> str | None:
    """The path of `command`; those of root count too, since a plain user's search path lacks them."""
    return shutil.which(command, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def apt_get(packages: Iterable[str]) -> str:
    """The line that installs Debian's `packages`, as a remedy has it."""
    return f"`apt-get install {' '.join(sorted(set(packages)))}`"


def missing(commands: Iterable[str], otherwise: str = "") -> HostError | None:
    """All of `commands` that are not here, in one sentence and with one line to type; `otherwise` is another way."""
    absent = [command for command in commands if find(command) is None]
    return lacking(absent, otherwise) if absent else None


def lacking(absent: list[str], otherwise: str = "") -> HostError:
    """The error of commands that are known not to be here."""
    sentence = f"Command {named(absent)} is missing" if len(absent) == 1 else f"Commands {named(absent)} are missing"
    install = apt_get(_PACKAGES[command] for command in absent)
    return HostError(sentence, remedy=f"{install}, or {otherwise}" if otherwise else install)
