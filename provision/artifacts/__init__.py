"""What a cluster is made of: binaries and images, pinned, made once and cached; see docs/artifacts.md.

`ensure` is all that `mcastlab up` needs. Where binaries come from is decided in `provision.artifacts.sources`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from provision.artifacts.bundle import DOCUMENT, Bundle, Images, Maker
from provision.artifacts.bundle import listing as _listing
from provision.artifacts.imported import import_archive
from provision.artifacts.imported import listing as _imported
from provision.artifacts.pull import fetch
from provision.core.errors import HostError
from provision.core.files import read_whole
from provision.core.text import Say

__all__ = ["Bundle", "Images", "build", "document", "ensure", "fetch", "import_archive", "listing", "plan", "verify"]


def ensure(report: Say, images: Images | None = None) -> Bundle:
    """The bundle for this checkout, from the cache or made now; `report` gets a line for each step.

    Its node image is among `images` then, if these are given.

    Raises HostError or CommandError with its remedy; what was made until then is kept for the next run.
    """
    return Maker.here().ensure(report, images)


def build(component: str, report: Say) -> Path:
    """The folder of the executables of one component of bundle/, from the cache or made now."""
    return Maker.here().images.component(component, report)


def document() -> dict[str, Any]:
    """bundle.json of this checkout's bundle; raises HostError when it is not made yet."""
    maker = Maker.here()
    path, remedy = maker.store.path(maker.item) / DOCUMENT, "Run `mcastlab artifacts build`"
    try:
        content: dict[str, Any] = json.loads(read_whole(path, remedy))
    except FileNotFoundError:
        raise HostError("The artifacts are not made yet", remedy=remedy) from None
    except (ValueError, RecursionError) as error:
        raise HostError(f"This is no description of artifacts: {error}", where=str(path), remedy=remedy) from error
    return content


def plan() -> str:
    """What `ensure` would do, in one line."""
    maker = Maker.here()
    missing = [name for name, _, state in _listing(maker) if not state.startswith("cached")]
    if not missing:
        return f"take all from the cache: {maker.store.path(maker.item)}"
    return f"make from {maker.choice.source.name}: {', '.join(missing)}"


def listing() -> list[tuple[str, str, str]]:
    """(component, version, state in the cache) for `mcastlab artifacts list`; images that were imported last."""
    return [*_listing(Maker.here()), *_imported()]


def verify() -> list[str]:
    """Read every cached file of this checkout's bundle and name those whose SHA-256 is not what was made."""
    return Maker.here().verify()
