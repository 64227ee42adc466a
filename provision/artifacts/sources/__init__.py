"""Where the cluster's binaries come from: one class a source, in the order of preference.

A new source (upstream releases, a mirror, an imported archive) is a file here that implements `Source`, and a line in
`choose`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from provision.artifacts.store import Item
from provision.artifacts.versions import Component
from provision.core.errors import HostError


class Source(Protocol):
    """Supplies a component as a folder of executables."""

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

    def fetch(self, component: Component, folder: Path, report: Callable[[str], None]) -> None:
        """Put the component's executables into `folder`. Raises HostError or CommandError."""
        ...


@dataclass(frozen=True)
class Choice:
    """The source to use, and why it is this one."""

    source: Source
    reason: str


def choose(sources: Sequence[Source]) -> Choice:
    """The first source that can be used; the reason names those before it that cannot. Raises HostError if none can."""
    refusals: list[str] = []
    for source in sources:
        refusal = source.refusal()
        if not refusal:
            why = f"it is the first that can be used ({'; '.join(refusals)})" if refusals else "it is the first choice"
            return Choice(source, why if len(sources) > 1 else "it is the only source there is")
        refusals.append(f"{source.name}: {refusal}")
    raise HostError(
        "No source has the cluster's binaries", detail="\n".join(refusals), remedy="Mend what one of them says"
    )
