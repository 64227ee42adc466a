"""Taking the policy away for one group for a moment, to show that it, and nothing else, kept its datagrams out.

The node's programs let the group through everywhere: past namespaces, the switch and the node's border. All other
groups stay as they are. It ends by itself: a run that was killed leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from provision.hosts.remote import Remote

_LIFT = ("env", "PYTHONPATH=/usr/local/lib/mcastlab", "/usr/bin/python3", "-m", "multicast_policy.lift")
_MOST_SECONDS = 30.0  # the node grants no more
_COMMAND_SECONDS = 60.0


@contextmanager
def bypassed(node: Remote, group: str, seconds: float = _MOST_SECONDS) -> Iterator[Callable[[], None]]:
    """While the block runs, and for at most `seconds`, `group` passes everywhere.

    What the block gets begins these seconds anew. Raises CommandError when the node has no such policy.
    """

    def lift() -> None:
        node.run([*_LIFT, group, f"{seconds:g}"], _COMMAND_SECONDS)

    try:
        lift()
        yield lift
    finally:
        node.run([*_LIFT, group, "0"], _COMMAND_SECONDS, check=False)
