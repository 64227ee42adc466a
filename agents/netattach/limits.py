"""How much one namespace's pods may take of what all share: interfaces of a pod, attachments of a network."""

from __future__ import annotations

from .annotation import Selection
from .errors import INVALID_CONFIG, CniError
from .request import Pod
from .store import Store
from .trust import Trust

SELECTIONS = 16
ADDRESSES = 256


class Limits:
    """The limits of the tenants' policy, for one pod that is about to be attached."""

    def __init__(self, store: Store, trust: Trust, pod: Pod) -> None:
        self._trust = trust
        self._pod = pod
        self._store = store
        self._taken: dict[str, int] | None = None

    def selections(self, selections: list[Selection]) -> None:
        """CniError 7 for a pod that selects more networks than it may."""
        most = self._trust.limit("selections", SELECTIONS)
        if len(selections) > most:
            raise CniError(
                INVALID_CONFIG,
                f'the pod "{self._pod}" selects {len(selections)} networks; a pod may select {most}',
                "lab.yml: tenants.limits.selections",
            )

    def take(self, title: str) -> None:
        """One more attachment to the network; CniError 7 where its namespace has as many on this node as it may."""
        most = self._trust.limit("addresses", ADDRESSES)
        if self._taken is None:
            self._taken = self._count()
        self._taken[title] = self._taken.get(title, 0) + 1
        if self._taken[title] > most:
            raise CniError(
                INVALID_CONFIG,
                f'pods of namespace "{self._pod.namespace}" have {most} attachments to the network "{title}", '
                "and may not have more",
                "lab.yml: tenants.limits.addresses; what is counted is one node's",
            )

    def _count(self) -> dict[str, int]:
        """The attachments that the namespace's pods have on this node, by network."""
        taken: dict[str, int] = {}
        for record in self._store.records():
            if record.pod is not None and record.pod.namespace == self._pod.namespace:
                for attachment in record.attachments:
                    taken[attachment.title] = taken.get(attachment.title, 0) + 1
        return taken
