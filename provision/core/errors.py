"""The errors a user sees: what is wrong, where, and the remedy."""

from __future__ import annotations


class McastlabError(Exception):
    """A failure with a message for the user; the command ends with `exit_code`.

    `problem` is a whole sentence with names in quotes, `where` the file, host or object it is about,
    `remedy` what to do next, `detail` output of a tool, passed on verbatim.
    """

    exit_code = 3

    def __init__(self, problem: str, *, where: str = "", remedy: str = "", detail: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.where = where
        self.remedy = remedy
        self.detail = detail

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.problem}" if self.where else self.problem]
        if self.detail:
            lines += [f"  | {line}" for line in self.detail.rstrip().splitlines()]
        if self.remedy:
            lines.append(f"  remedy: {self.remedy}")
        return "\n".join(lines)


class InputError(McastlabError):
    """What the user typed or wrote in a file is wrong."""

    exit_code = 2


class HostError(McastlabError):
    """The machine, a tool on it or a service that is needed does not do its part."""


class CommandError(HostError):
    """A command failed, could not be started or did not end in time."""


class WaitError(HostError):
    """A condition did not come true before its deadline."""


class ChecksFailed(McastlabError):
    """At least one check or diagnosis failed."""

    exit_code = 1


class Problems(McastlabError):
    """Several errors found in one pass, so that the user mends them at once.

    The exit code is that of the first one: input errors come before errors of the host.
    """

    def __init__(self, problems: list[McastlabError]) -> None:
        super().__init__("; ".join(problem.problem for problem in problems))
        self.problems = problems
        self.exit_code = min((problem.exit_code for problem in problems), default=3)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)
