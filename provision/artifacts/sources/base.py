"""The contract of a source of the cluster's binaries."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from provision.artifacts.store import Item
from provision.artifacts.versions import Component
from provision.core.text import Say


class Source(Protocol):
    """Supplies a component as a folder of executables; made of versions.yml and the user's cache."""

    @property
    def name(self) -> str:
        """As it stands in reports."""
        ...

    def refusal(self) -> str:
        """Why it cannot be used here, in a few words; empty when it can. Quick, and nothing is fetched."""
        ...

    def item(self, component: Component) -> Item:
        """The component's place in the cache; its key covers every input of this source."""
        ...

    def fetch(self, component: Component, folder: Path, report: Say) -> None:
        """Put the component's executables into `folder`. Raises HostError or CommandError."""
        ...
