"""Which of Vagrant's own providers makes the machines, and why: chosen by trying, in the order of what is quickest."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass

from provision.config import Lab
from provision.core.errors import CommandError, HostError
from provision.core.packages import LIBVIRT, absence, apt_get
from provision.core.run import run
from provision.providers.vagrant.accelerated import kvm_works
from provision.providers.vagrant.engine import users_docker

# Vagrant asks for all of it when libvirt is to answer for root or a member of the group libvirt.
LIBVIRT_URI = "qemu:///system"


@dataclass(frozen=True)
class EngineChoice:
    """Vagrant's provider and the reason, printed by `up`."""

    name: str
    reason: str


def virtualbox() -> str:
    """Why VirtualBox cannot be used here; empty where it can."""
    if shutil.which("VBoxManage") is None:
        return absence(["VBoxManage"])
    return _failure(["VBoxManage", "list", "systemproperties"])


def libvirt() -> str:
    """Why libvirt cannot be used here; empty where it can, be it by emulation."""
    if missing := [tool for tool in ("virsh", "qemu-system-x86_64") if shutil.which(tool) is None]:
        return absence(missing)
    if "vagrant-libvirt" not in _plugins():
        return "Vagrant's plug-in 'vagrant-libvirt' is missing"
    return _failure(["virsh", "--connect", LIBVIRT_URI, "version"])


def docker() -> str:
    """Why neither Docker nor Podman can be used here; empty where one can."""
    if users_docker() or shutil.which("podman"):
        return ""
    return "Docker does not answer, and command 'podman' is missing"


_PROBES: dict[str, Callable[[], str]] = {"libvirt": libvirt, "virtualbox": virtualbox, "docker": docker}
_REMEDIES = {
    "libvirt": f"install libvirt by {apt_get(LIBVIRT)}, and run libvirtd",
    "virtualbox": "install VirtualBox from its makers",
    "docker": f"install Podman by {apt_get(['podman'])}",
}


def choose_engine(lab: Lab) -> EngineChoice:
    """The provider that lab.yml names, or the first that works; an emulating libvirt comes last.

    Raises HostError with each one's reason where none does.
    """
    wanted = lab.vagrant.machines
    if wanted != "auto":
        if why := _PROBES[wanted]():
            raise HostError(
                f"lab.yml asks Vagrant for '{wanted}', which cannot be used here: {_first(why)}",
                where="vagrant.machines",
                detail=_rest(why),
                remedy=_sentence(f"{_REMEDIES[wanted]}; or `machines: auto`"),
            )
        return EngineChoice(wanted, "lab.yml asks for it")
    reasons = {name: probe() for name, probe in _PROBES.items()}
    usable = [name for name, why in reasons.items() if not why]
    if not usable:
        raise HostError(
            "Vagrant has no provider here that works",
            detail="\n".join(f"{name}: {why}" for name, why in reasons.items()),
            remedy=_sentence("; or ".join([*_REMEDIES.values(), "take `provider: podman`"])),
        )
    if usable[0] == "libvirt" and len(usable) > 1 and not kvm_works():
        return EngineChoice(usable[1], "it works here, and libvirt could only emulate")
    return EngineChoice(usable[0], "the first of " + ", ".join(_PROBES) + " that works here")


def _plugins() -> str:
    return run(["vagrant", "plugin", "list"], timeout=60, check=False).stdout


def _failure(argv: list[str]) -> str:
    """What a command that fails says, after a line of ours; empty when it ends well."""
    try:
        done = run(argv, timeout=30, check=False)
    except CommandError as error:
        return str(error)
    if done.returncode == 0:
        return ""
    return f"'{' '.join(argv)}' failed\n{(done.stderr or done.stdout).strip()}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _first(text: str) -> str:
    return text.partition("\n")[0]


def _rest(text: str) -> str:
    return text.partition("\n")[2]
