"""The non-member receiver: it binds the port of a run, joins nothing, and answers when it is asked what it heard."""

from __future__ import annotations

import json
from dataclasses import dataclass

from provision.core.paths import ROOT
from provision.traffic.places import Place

_SOURCE = ROOT / "agents" / "bystander" / "bystander.py"
_ANSWER_SECONDS = 10.0


@dataclass(frozen=True)
class Bystander:
    """A bystander at a unicast address of the multicast LAN."""

    address: str

    def heard(self, asker: Place, port: int) -> int | None:
        """Multicast datagrams that it heard on `port` so far, asked by unicast from `asker`; None if it is silent."""
        done = asker.run([*_python(), "ask", self.address, str(port)], _ANSWER_SECONDS, check=False)
        return parse_answer(done.stdout) if done.returncode == 0 else None


def listen_argv(ports: tuple[int, ...], *, shared: bool) -> list[str]:
    """The bystander's command; `shared` when another process of its network namespace joins the group."""
    return [*_python(), "listen", *(["--shared"] if shared else []), *map(str, ports)]


def parse_answer(text: str) -> int | None:
    """The count in a bystander's answer, None when it is not one."""
    try:
        return int(json.loads(text)["multicast"])
    except (ValueError, KeyError, TypeError):
        return None


def _python() -> list[str]:
    return ["python3", "-I", "-S", "-c", _SOURCE.read_text(encoding="utf-8")]
