"""What was typed that says which lab or cluster is meant: every command that is suggested repeats it.

Texts suggest a command between backticks, as in "Run `mcastlab up`"; the places where they are printed (the end of a
command, its progress, its tables) have them completed here.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

# In lab.yml and behind --provider; `make` of provision/providers/NAME/provider.py makes each.
ProviderName = Literal["podman", "vagrant", "ssh"]

DEFAULT_LAB_FILE = Path("lab.yml")
_SUGGESTED = re.compile(r"`mcastlab ([^`]+)`")
_OF_NO_LAB = ("artifacts", "init")
_OF_ANY_PROVIDER = ("demo", "multicast")
_OF_ANY_CLUSTER = ("check", "demo", "multicast")


@dataclass(frozen=True)
class Typed:
    """The options of the command line; `lab` is None where none was named."""

    lab: Path | None = None
    provider: str | None = None
    kubeconfig: Path | None = None

    def completed(self, text: str) -> str:
        """`text` with every command of mcastlab's that stands in it between backticks ready to paste."""
        return _SUGGESTED.sub(lambda found: f"`{self.command(found[1])}`", text)

    def command(self, command: str) -> str:
        """`mcastlab COMMAND`, ready to paste; one that names a lab or cluster already is left as it is."""
        if re.search(r"--(lab|kubeconfig)\b", command):
            return f"mcastlab {command}"
        words, dashes, others = command.partition(" -- ")
        options = shlex.join(self._options(command.split(maxsplit=1)[0]))
        return f"mcastlab {words}{options and ' '}{options}{dashes}{others}"

    def _options(self, verb: str) -> list[str]:
        if verb in _OF_NO_LAB:
            return []
        if self.kubeconfig and verb in _OF_ANY_CLUSTER:
            return ["--kubeconfig", str(self.kubeconfig)]
        options = []
        if self.lab and self.lab.resolve() != DEFAULT_LAB_FILE.resolve():
            options += ["--lab", str(self.lab)]
        if self.provider and verb not in _OF_ANY_PROVIDER:
            options += ["--provider", str(self.provider)]
        return options
