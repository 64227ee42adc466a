"""Keeps the programs' maps as policy and records say: one thread, woken by whatever may have changed."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import ports
from .hooks import HookError
from .model import Policy, Port, Tunnel
from .tables import MOST, Counts, Tables, Wanted
from .tunnel import Tunnels

_LOG = logging.getLogger("multicast-policy")
_AGAIN_SECONDS = 5.0


@dataclass(frozen=True)
class Outcome:
    """What is in force: for which generation, how many ports in each enabled namespace, and what went wrong."""

    generation: int = 0
    namespaces: dict[str, int] = field(default_factory=dict)
    bound: dict[int, Port] = field(default_factory=dict)
    error: str = ""
    seconds: float = 0.0
    updates: int = 0
    note: str = ""  # what an administrator should know although all is well
    tunnels: dict[int, Tunnel] = field(default_factory=dict)


class Enforcer:
    """Until it has a policy it changes nothing: after a restart the last entries stay until there are better ones."""

    def __init__(
        self, folder: Path, bridge: str, node: str, told: Callable[[Outcome], None] = lambda _outcome: None
    ) -> None:
        self._bridge, self._told, self._records = bridge, told, ports.Records(folder)
        self._tunnels = Tunnels(bridge, node)
        self._changed = threading.Condition()
        self._wanted = self._done = 0
        self._policy: Policy | None = None
        self._stale = True  # the records are to be read again
        self._found: dict[int, Port] = {}
        self._note = ""
        self._tables: Tables | None = None
        self._using = threading.Lock()
        self.outcome = Outcome()
        self.beat = time.monotonic()

    def set_policy(self, policy: Policy) -> None:
        """Have `policy` enforced, for the ports that are known."""
        with self._changed:
            self._policy = policy
            self._wanted += 1
            self._changed.notify_all()

    def request(self) -> int:
        """Have the records read again; the ticket to `wait` with."""
        with self._changed:
            self._stale = True
            self._wanted += 1
            self._changed.notify_all()
            return self._wanted

    def reopen(self) -> None:
        """Have the maps opened anew: other programs are loaded."""
        with self._using:
            if self._tables:
                self._tables.close()
            self._tables = None
        self.request()

    def wait(self, ticket: int, seconds: float) -> bool:
        """Whether within `seconds` all is in force that there was when `ticket` was given."""
        with self._changed:
            return self._changed.wait_for(lambda: self._done >= ticket, seconds)

    def counts(self) -> dict[int, Counts]:
        """What was counted at each bound port, and as `Tables.counts` has it; nothing before there are maps."""
        with self._using:
            return self._tables.counts(self.outcome.bound) if self._tables else {}

    def run(self) -> None:
        """Never returns. Looks again every few seconds, for what nobody told: a map that someone changed."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted > self._done and self._policy, _AGAIN_SECONDS)
                wanted, policy, idle = self._wanted, self._policy, self._wanted == self._done
                stale, self._stale = self._stale or idle, False
            self.beat = time.monotonic()
            if policy is None:
                continue
            outcome = self._enforce(policy, stale=stale, idle=idle)
            if outcome is not self.outcome:
                self.outcome = outcome
                self._told(outcome)
            if outcome.error:
                self.request()
                time.sleep(1)  # and again, for what was wanted is not done
                continue
            with self._changed:
                self._done = wanted
                self._changed.notify_all()

    def _enforce(self, policy: Policy, *, stale: bool, idle: bool) -> Outcome:
        """Bring the maps to `policy`; never raises, what is wrong is in the outcome."""
        started, last = time.monotonic(), self.outcome
        try:
            if stale:
                self._found, self._note = fitting(ports.bound(self._records, self._bridge))
            bridge = ports.index_of(self._bridge), ports.mac_of(self._bridge)
            tunnels, to_raise = self._tunnels.bring(policy)
            with self._using:
                if not self._tables:
                    self._tables = Tables()
                elif idle:
                    self._tables.read()
                changed = self._tables.write(Wanted(self._found, policy, bridge, tunnels))
            if to_raise:
                namespaces = {tunnel.namespace for tunnel in to_raise}
                asked = [port.name for port in self._found.values() if port.namespace in namespaces]
                self._tunnels.ask(to_raise, asked)
        except (OSError, ValueError, HookError) as error:
            _LOG.error("multicast stays as it was: %s", error)
            return replace(last, error=str(error))
        if idle and not changed:
            return last
        if idle and not to_raise:
            _LOG.warning("%d entries of the policy's maps were not as they were left: they are again", changed)
        counted = Counter(port.namespace for port in self._found.values())
        names = {name: counted[name] for name in policy.namespaces}
        seconds = time.monotonic() - started
        note = "; ".join(text for text in (self._note, *self._tunnels.notes) if text)
        return Outcome(policy.generation, names, self._found, "", seconds, last.updates + 1, note, tunnels)


def fitting(found: dict[int, Port], most: int = MOST) -> tuple[dict[int, Port], str]:
    """The oldest ports, as many as the maps hold, and a sentence on the others."""
    if len(found) <= most:
        return found, ""
    note = f"{len(found)} ports are more than the policy's maps hold, {most}: the newest stay closed for groups"
    return dict(sorted(found.items())[:most]), note
