"""Files that hold what the product is to say; MCASTLAB_UPDATE_GOLDEN=1 writes them anew, for the reader of the diff."""

from __future__ import annotations

import os
from pathlib import Path


def compare(text: str, path: Path) -> None:
    """Fail unless `path` holds `text`, or write it there."""
    if os.environ.get("MCASTLAB_UPDATE_GOLDEN") == "1":
        path.write_text(text)
    assert path.exists(), f"{path} is missing: write it with MCASTLAB_UPDATE_GOLDEN=1 and read what it says"
    assert text == path.read_text()
