"""Commands of this machine that are needed, and Debian's packages that bring them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable

from provision.core.errors import CommandError
from provision.core.text import named

_PACKAGES = {
    "clang": "clang linux-libc-dev",  # what it compiles includes the kernel's headers
    "docker": "docker.io",
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
    "tar": "tar",
    "unshare": "util-linux",
    "vagrant": "vagrant",
    "virsh": "libvirt-clients",
}
LIBVIRT = ("vagrant-libvirt", "libvirt-clients", "libvirt-daemon-system", "dnsmasq-base", "qemu-system-x86")


def find(command: str) -> str | None:
    """The path of `command`; those of root count too, since a plain user's search path lacks them."""
    return shutil.which(command, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def apt_get(packages: Iterable[str]) -> str:
    """The line that installs Debian's `packages`, as a remedy has it."""
    return f"`apt-get install {' '.join(sorted(set(packages)))}`"


def missing(commands: Iterable[str], otherwise: str = "") -> CommandError | None:
    """All of `commands` that are not here, in one sentence and with one line to type; `otherwise` is another way."""
    absent = [command for command in commands if find(command) is None]
    return lacking(absent, otherwise) if absent else None


def lacking(absent: list[str], otherwise: str = "", *, where: str = "") -> CommandError:
    """The error of commands that are known not to be here; `where` is what was to run one of them."""
    known = [_PACKAGES[command] for command in absent if command in _PACKAGES]
    install = apt_get(known) if known else "Install it, or add its folder to PATH"
    return CommandError(absence(absent), where=where, remedy=f"{install}, or {otherwise}" if otherwise else install)


def absence(commands: list[str]) -> str:
    """The sentence that says that `commands` are not here."""
    return f"Command {named(commands)} is missing" if len(commands) == 1 else f"Commands {named(commands)} are missing"
