"""Names of images in full, as containerd keeps them and as a pod may give them (reference.md of distribution)."""

from __future__ import annotations

import re

from provision.artifacts.archive import Archive, ArchivedImage
from provision.core.errors import InputError

_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_HOST = r"(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(?=:\d))(?::\d+)?"
_NAME = re.compile(rf"(?:(?P<host>{_HOST})/)?(?P<path>{_PART}(?:/{_PART})*)(?::(?P<tag>\w[\w.-]{{0,127}}))?")
_HUB = "docker.io"
OWN = "localhost/mcastlab/"


def full(name: str, where: str = "") -> str:
    """`name` with host, repository and tag; raises InputError for what is no name of an image."""
    found = _NAME.fullmatch(name)
    if not found:
        raise InputError(
            f"'{name}' is no name of an image",
            where=where,
            remedy="Write it as HOST/REPOSITORY:TAG, in small letters; host and tag may be left out",
        )
    path = found["path"]
    if not found["host"] and "/" not in path:
        path = f"library/{path}"
    return f"{found['host'] or _HUB}/{path}:{found['tag'] or 'latest'}"


def of_image(archive: Archive, image: ArchivedImage) -> list[str]:
    """The names that an image has in its archive, in full; raises InputError where it has none.

    OCI layouts may hold a tag alone, which names nothing.
    """
    given = [name for name in image.names if ":" in name or "/" in name]
    if not given:
        raise archive.wrong("The image has no name in it", "Give it one: --as NAME")
    return list(dict.fromkeys(full(name, archive.where) for name in given))


def pull_advice(name: str) -> str:
    """What a pod's imagePullPolicy has to be for an image that no registry has (Kubernetes, "Images")."""
    if name.endswith(":latest"):
        return "imagePullPolicy: IfNotPresent (or Never); without it Kubernetes pulls ':latest' from a registry"
    return "imagePullPolicy: IfNotPresent, the default of this tag (or Never)"
