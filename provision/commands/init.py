"""A folder for a new lab: its lab.yml, and a Vagrantfile where one is wanted."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from provision.config.messages import describe
from provision.config.values import LabName
from provision.core.errors import InputError
from provision.core.files import write_whole
from provision.core.paths import ROOT
from provision.core.templating import render_file

_READABLE = 0o644


def init(folder: Path, name: str, *, vagrantfile: bool) -> list[Path]:
    """Write the files and return their paths; raises InputError, and writes none, where one of them is there."""
    _insist_on_name(name)
    python, loaded = sys.executable, str(ROOT / "Vagrantfile")
    texts = {folder / "lab.yml": render_file(ROOT / "templates" / "lab.yml.j2", {"name": name})}
    if vagrantfile:
        values = {"python": python, "vagrantfile": loaded}
        texts[folder / "Vagrantfile"] = render_file(ROOT / "templates" / "Vagrantfile.j2", values)
    for path in texts:
        if path.exists() or path.is_symlink():
            raise InputError(
                "This file is there already", where=str(path), remedy="Take another folder, or move it away"
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The folder cannot be made: {error.strerror}", where=str(folder), remedy="Take another folder"
        ) from error
    for path, text in texts.items():
        write_whole(path, text, mode=_READABLE)
    return list(texts)


def _insist_on_name(name: str) -> None:
    try:
        TypeAdapter(LabName).validate_python(name)
    except ValidationError as error:
        raise InputError(describe(error.errors()[0]).problem, where="--name", remedy="Take another name") from error
