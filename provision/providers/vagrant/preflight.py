"""What the Vagrant provider needs of this machine, probed before anything is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from provision.config import Lab
from provision.core import packages
from provision.core.errors import HostError, McastlabError
from provision.core.run import run
from provision.providers.podman import preflight as podman_preflight
from provision.providers.vagrant.door import version
from provision.providers.vagrant.networks import bridges

_OLDEST = (2, 3, 0)  # triggers in Ruby, networks of the Docker provider
_OLDEST_LIBVIRT = (0, 11, 2)
_LIBVIRT = "vagrant-libvirt"


def problems(lab: Lab, machines: Callable[[], str]) -> list[McastlabError]:
    """Every reason why the lab could not come up here; `machines` chooses what makes them, or raises."""
    if basic := list(_vagrant()):
        return basic  # the rest could only repeat these
    try:
        kind = machines()
    except McastlabError as error:
        return [error]
    if kind == "docker":
        return podman_preflight.of_containers(lab, bridges(lab))
    return [*_room(lab), *(_plugin() if kind == "libvirt" else ())]


def _vagrant() -> Iterable[McastlabError]:
    if error := packages.missing(["vagrant"], otherwise="install it from its makers"):
        yield error
        return
    found = version({})
    if found < _OLDEST:
        yield HostError(
            f"Vagrant {_dotted(found)} is too old: the Vagrantfile needs {_dotted(_OLDEST)}",
            remedy=f"{packages.apt_get(['vagrant'])} brings Debian's; or take a newer one from its makers",
        )


def _plugin() -> Iterable[McastlabError]:
    """The plug-in is there, or libvirt had not been chosen; it may be too old."""
    for line in run(["vagrant", "plugin", "list"], timeout=60).stdout.splitlines():
        name, _, rest = line.partition(" ")
        found = tuple(int(part) for part in rest.strip("(").partition(",")[0].split(".") if part.isdigit())
        if name == _LIBVIRT and found < _OLDEST_LIBVIRT:
            yield HostError(
                f"Vagrant's plug-in '{_LIBVIRT}' {_dotted(found)} is too old: {_dotted(_OLDEST_LIBVIRT)} is needed",
                remedy=f"`vagrant plugin update {_LIBVIRT}`, or {packages.apt_get([_LIBVIRT])} for Debian's",
            )


def _room(lab: Lab) -> Iterable[McastlabError]:
    needed = len(lab.hosts) * lab.vagrant.memory_mib / 1024
    free = podman_preflight.available_gib()
    if free < needed:
        yield HostError(
            f"{free:.1f} GiB of memory are available, the lab's {len(lab.hosts)} machines have {needed:.1f}",
            where="vagrant.memory_mib",
            remedy="End something, or give the machines less",
        )


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)
