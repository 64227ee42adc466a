"""Files that are whole or absent, private where they must be, and never written through a link."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from provision.errors import HostError


def write_whole(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Put `text` at `path` in one step, with `mode`; a link at `path` is replaced, never followed.

    Raises HostError when the folder cannot be written or the disk is full; `path` is then as it was.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
                os.fchmod(stream.fileno(), mode)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise HostError(
            f"File could not be written: {error.strerror}",
            where=str(path),
            remedy="Check its folder and the free disk space",
        ) from error
