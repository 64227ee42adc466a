"""Keeps the kernel as policy and ports say: one thread, woken by whatever may have changed."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from . import nft, ports, rules
from .model import Policy, Port

_LOG = logging.getLogger("multicast-policy")
_AGAIN_SECONDS = 5.0


@dataclass(frozen=True)
class Outcome:
    """What is in force: for which generation, how many ports in each enabled namespace, and what went wrong."""

    generation: int = 0
    namespaces: dict[str, int] = field(default_factory=dict)
    bound: tuple[Port, ...] = ()
    error: str = ""
    seconds: float = 0.0
    updates: int = 0


class Enforcer:
    """Until it has a policy it changes nothing: after a restart the last rules stay until there are better ones."""

    def __init__(self, folder: Path, bridge: str, told: Callable[[Outcome], None] = lambda _outcome: None) -> None:
        self._folder, self._bridge, self._told = folder, bridge, told
        self._changed = threading.Condition()
        self._wanted = self._done = 0
        self._policy: Policy | None = None
        self.outcome = Outcome()
        self.beat = time.monotonic()

    def set_policy(self, policy: Policy) -> None:
        """Have `policy` enforced."""
        with self._changed:
            self._policy = policy
        self.request()

    def request(self) -> int:
        """Have records and policy read again; the ticket to `wait` with."""
        with self._changed:
            self._wanted += 1
            self._changed.notify_all()
            return self._wanted

    def wait(self, ticket: int, seconds: float) -> bool:
        """Whether within `seconds` all is in force that there was when `ticket` was given."""
        with self._changed:
            return self._changed.wait_for(lambda: self._done >= ticket, seconds)

    def run(self) -> None:
        """Never returns. Looks again every few seconds, for what nobody told: rules that someone removed."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted > self._done and self._policy, _AGAIN_SECONDS)
                wanted, policy, idle = self._wanted, self._policy, self._wanted == self._done
            self.beat = time.monotonic()
            if policy is None or (idle and not self._lost()):
                continue
            self.outcome = self._enforce(policy)
            self._told(self.outcome)
            if self.outcome.error:
                time.sleep(1)  # and again, for what was wanted is not done
                continue
            with self._changed:
                self._done = wanted
                self._changed.notify_all()

    def _lost(self) -> bool:
        """Whether the table is not as it was left."""
        if self.outcome.error or {port.name for port in self._ports()} != {port.name for port in self.outcome.bound}:
            return True
        try:
            listing = nft.listing()
        except nft.NftError as error:
            _LOG.error("%s", error)
            return True
        chains = rules.Present.of(listing).chains if listing else frozenset()
        return not {rules.PORT + port.name for port in self.outcome.bound} <= chains

    def _ports(self) -> list[Port]:
        return ports.read(self._folder, self._bridge)

    def _enforce(self, policy: Policy) -> Outcome:
        """Bring the kernel to `policy`; never raises, what is wrong is in the outcome."""
        started, last = time.monotonic(), self.outcome
        try:
            ports.close_routers(self._bridge)
            found = self._ports()
            self._apply(policy, found)
        except (nft.NftError, OSError, ValueError) as error:
            _LOG.error("the rules stay as they were: %s", error)
            return Outcome(last.generation, last.namespaces, last.bound, str(error), last.seconds, last.updates)
        counted = Counter(port.namespace for port in found)
        seconds = time.monotonic() - started
        names = {name: counted[name] for name in policy.namespaces}
        return Outcome(policy.generation, names, tuple(found), "", seconds, last.updates + 1)

    def _apply(self, policy: Policy, found: list[Port]) -> None:
        listing = nft.listing()
        if listing is None:
            _LOG.error("the table with the default drop was gone: loading it again")
            nft.load(self._folder / "base.nft")
            listing = nft.listing()
        nft.apply(rules.document(policy, found, rules.Present.of(listing or {"nftables": []})))
