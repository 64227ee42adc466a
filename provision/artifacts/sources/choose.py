"""The sources in the order of preference, and which one it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from provision.artifacts.sources.base import Source
from provision.artifacts.sources.go_modules import GoModules
from provision.artifacts.store import Store
from provision.artifacts.versions import Versions
from provision.core.errors import HostError

SOURCES: tuple[Callable[[Versions, Store], Source], ...] = (GoModules,)


@dataclass(frozen=True)
class SourceChoice:
    """The source to use, and why it is this one."""

    source: Source
    reason: str


def choose_source(sources: Sequence[Source]) -> SourceChoice:
    """The first source that can be used; the reason names those before it that cannot. Raises HostError if none can."""
    refusals: list[str] = []
    for source in sources:
        refusal = source.refusal()
        if not refusal:
            why = f"it is the first that can be used ({'; '.join(refusals)})" if refusals else "it is the first choice"
            return SourceChoice(source, why if len(sources) > 1 else "it is the only source there is")
        refusals.append(f"{source.name}: {refusal}")
    raise HostError(
        "No source has the cluster's binaries", detail="\n".join(refusals), remedy="Mend what one of them says"
    )
