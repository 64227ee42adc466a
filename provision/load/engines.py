"""Images of the user's own podman and docker: asked by name, saved as an archive."""

from __future__ import annotations

import shutil
from pathlib import Path

from provision.core.errors import CommandError, HostError, InputError
from provision.core.hints import making
from provision.core.run import run
from provision.core.text import Say

_ENGINES = ("podman", "docker")
_ASK_SECONDS, _SAVE_SECONDS = 60.0, 1800.0


def save(name: str, target: Path, report: Say) -> str:
    """Save the image into the file `target` and return which engine had it.

    Raises InputError where none has it, or two have different ones, and HostError where it cannot be saved.
    """
    engine = _holder(name)
    whole = name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"  # docker would save all tags
    report(f"Image '{name}' is saved by {engine}")
    with making(f"The archive of '{name}'"):
        try:
            run([engine, "save", "--output", str(target), whole], timeout=_SAVE_SECONDS)
        except CommandError as error:
            raise CommandError(
                f"{engine} could not save the image '{name}'",
                where=error.where,
                detail=error.detail or error.problem,
                remedy=f"See whether `{engine} save` works by itself, and load the archive that it writes",
            ) from error
    return engine


def listed(begun: str) -> list[str]:
    """Names of images that begin so, for completion."""
    shown: list[str] = []
    for engine in filter(shutil.which, _ENGINES):
        argv = [engine, "images", "--format", "{{.Repository}}:{{.Tag}}"]
        shown += run(argv, timeout=_ASK_SECONDS, check=False).stdout.split()
    return [name for name in dict.fromkeys(shown) if name.startswith(begun) and "<none>" not in name]


def _holder(name: str) -> str:
    """The engine that has the image."""
    present = [engine for engine in _ENGINES if shutil.which(engine)]
    if not present:
        raise HostError(
            f"There is no file '{name}', and neither podman nor docker is installed to be asked for an image",
            remedy="Name an archive, made where the image is: `podman save -o FILE IMAGE`",
        )
    ids: dict[str, str] = {}
    said: list[str] = []
    for engine in present:
        done = run([engine, "image", "inspect", "--format", "{{.Id}}", name], timeout=_ASK_SECONDS, check=False)
        if done.returncode == 0:
            ids[engine] = done.stdout.strip().removeprefix("sha256:")
        else:
            said.append(f"{engine}: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'no answer'}")
    if not ids:
        raise InputError(
            f"There is no image '{name}': it is no file, and {' and '.join(present)} did not find it",
            detail="\n".join(said),
            remedy=f"Build or pull it first, or name its archive; one of root's: `sudo {present[0]} save {name}`,"
            " piped into `mcastlab load -`",
        )
    if len(set(ids.values())) > 1:
        raise InputError(
            f"Podman and Docker have different images '{name}'",
            remedy=f"Say which, by its archive: `docker save {name}`, piped into `mcastlab load -`",
        )
    return next(iter(ids))
