"""What a check says: passed, failed or not applicable, with its reason, figures and evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.text import Text

from provision.core.errors import ChecksFailed
from provision.core.text import visible

Status = Literal["passed", "failed", "not-applicable"]
_MARKS: dict[Status, tuple[str, str]] = {
    "passed": ("✓", "green"),
    "failed": ("✗", "red"),
    "not-applicable": ("-", "dim"),
}


@dataclass(frozen=True)
class Figure:
    """A measured number and its unit, for instance ('received', 449, 'datagrams')."""

    name: str
    value: float
    unit: str

    def __str__(self) -> str:
        return f"{self.name} {self.value:g} {self.unit}".rstrip()


@dataclass(frozen=True)
class Outcome:
    """What a check found; `evidence` holds whole passages of tools' output, verbatim."""

    status: Status
    reason: str
    figures: tuple[Figure, ...] = ()
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result(Outcome):
    """An outcome with the name of its check and how long it took, in seconds."""

    name: str = ""
    seconds: float = 0.0

    @classmethod
    def of(cls, name: str, outcome: Outcome, seconds: float) -> Result:
        return cls(outcome.status, outcome.reason, outcome.figures, outcome.evidence, name, seconds)

    def line(self) -> Text:
        """The result in one line, coloured where the terminal can; a failure is followed by its evidence."""
        mark, colour = _MARKS[self.status]
        text = Text.assemble((mark, colour), f" {self.name:<18} {self.seconds:5.1f} s  {visible(self.reason)}")
        if self.status == "failed":
            for passage in self.evidence:
                text.append("".join(f"\n    | {line}" for line in visible(passage).rstrip().split("\n")), style="dim")
        return text


def require_none_failed(results: Sequence[Result], remedy: str = "") -> None:
    """Raises ChecksFailed naming the checks that failed."""
    if failures := [result.name for result in results if result.status == "failed"]:
        message = f"{len(failures)} of {len(results)} checks failed: {', '.join(failures)}"
        raise ChecksFailed(message, remedy=remedy)


def passed(reason: str, *figures: Figure, evidence: tuple[str, ...] = ()) -> Outcome:
    return Outcome("passed", reason, figures, evidence)


def failed(reason: str, *figures: Figure, evidence: tuple[str, ...] = ()) -> Outcome:
    return Outcome("failed", reason, figures, evidence)


def not_applicable(reason: str) -> Outcome:
    return Outcome("not-applicable", reason)
