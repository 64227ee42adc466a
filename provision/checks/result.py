"""What a check says: passed, failed or not applicable, with its reason, figures and evidence."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.text import Text

from provision.core.errors import ChecksFailed
from provision.core.text import named

CLEAN_UP = "clean-up"  # what a failure to remove the checks' pods is called: the one result that no check has
LIKELY = ". Likely: "  # between what a failed check saw and what it takes for the cause
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
    """What a check found; `evidence` holds whole passages of tools' output, verbatim.

    The `reason` is a sentence, of a failure with its likely cause behind LIKELY; `remedy` is what to type or do.
    """

    status: Status
    reason: str
    figures: tuple[Figure, ...] = ()
    evidence: tuple[str, ...] = ()
    remedy: str = ""

    @property
    def brief(self) -> str:
        """The reason without the likely cause."""
        return self.reason.partition(LIKELY)[0]


@dataclass(frozen=True)
class Result(Outcome):
    """An outcome with the name of its check and how long it took, in seconds."""

    name: str = ""
    seconds: float = 0.0

    @classmethod
    def of(cls, name: str, outcome: Outcome, seconds: float) -> Result:
        return cls(outcome.status, outcome.reason, outcome.figures, outcome.evidence, outcome.remedy, name, seconds)

    def line(self) -> Text:
        """That it has ended and how, coloured where the terminal can; the report says what was found."""
        mark, colour = _MARKS[self.status]
        return Text.assemble((mark, colour), f" {self.name:<24} {self.seconds:5.1f} s  {self.status}")


def require_none_failed(results: Sequence[Result], options: Sequence[str] = (), *, logs: bool = True) -> None:
    """Raises ChecksFailed naming the checks that failed.

    `options` repeat them where they failed; `logs` says whether `mcastlab logs` knows of that cluster.
    """
    failures = [result.name for result in results if result.status == "failed"]
    if not failures:
        return
    again = shlex.join([*(name for name in failures if name != CLEAN_UP), *options])
    remedy = f"`mcastlab check {again}` repeats what failed" if again else "`mcastlab check` removes what is left"
    if logs:
        remedy += "; `mcastlab logs DIR` collects what tells why"
    raise ChecksFailed(f"{len(failures)} of {len(results)} checks failed: {named(failures)}", remedy=remedy)


def passed(reason: str, *figures: Figure, evidence: tuple[str, ...] = ()) -> Outcome:
    return Outcome("passed", reason, figures, evidence)


def failed(reason: str, *figures: Figure, evidence: tuple[str, ...] = (), remedy: str = "") -> Outcome:
    return Outcome("failed", reason, figures, evidence, remedy)


def not_applicable(reason: str) -> Outcome:
    return Outcome("not-applicable", reason)
