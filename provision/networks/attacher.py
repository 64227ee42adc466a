"""Which meta-plug-in gives pods their second interfaces, and why."""

from __future__ import annotations

from dataclasses import dataclass

from provision.artifacts import imported
from provision.artifacts.imported import Imported
from provision.config import Lab
from provision.core.errors import HostError
from provision.core.paths import page


@dataclass(frozen=True)
class Attacher:
    """The choice and why, as a clause, printed by `up` and kept in the report; `image` is what it runs from, if one."""

    name: str
    reason: str
    image: Imported | None = None


def choose_attacher(lab: Lab) -> Attacher:
    """The attacher for `lab`: what lab.yml asks for, else Multus where its image was imported, else netattach.

    Raises HostError where lab.yml asks for Multus and there is no image.
    """
    wanted = lab.cluster.attacher
    if wanted == "netattach":
        return Attacher("netattach", "lab.yml asks for it")
    image = imported.find("multus")
    if image is not None:
        why = "lab.yml asks for it" if wanted == "multus" else "its image was imported"
        return Attacher("multus", f"{why} ({image.origin})", image)
    if wanted == "multus":
        raise HostError(
            "lab.yml asks for Multus, and its image was not imported",
            where="cluster.attacher",
            remedy="Bring an archive of its image by `mcastlab artifacts import FILE.tar`, or write `attacher: auto`,"
            f" which takes netattach without one; {page('multus')} says more",
        )
    return Attacher("netattach", "no Multus image was imported")


def known_attacher(lab: Lab) -> Attacher:
    """The attacher of a lab that is up, or goes: as `choose_attacher`, also where `up` could not have it now."""
    try:
        return choose_attacher(lab)
    except HostError:
        return Attacher(lab.cluster.attacher, "lab.yml asks for it, though its image is not in the cache any more")
