"""What is known of the kernel under a host, by whoever made it or by asking it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from provision.hosts.remote import Remote

_ASK_SECONDS = 120.0


@dataclass(frozen=True)
class NodeFacts:
    """What the roles must know of hosts that are all alike.

    `from_image`: the provider made the host from its own image, with packages and the bundle in it. `cgroup_version` is
    1 or 2, `sys_resource` says whether root has CAP_SYS_RESOURCE there.
    """

    in_container: bool
    from_image: bool
    cgroup_version: int
    sys_resource: bool

    def variables(self) -> dict[str, Any]:
        """As the roles take them, and as a key of what is made for them."""
        return asdict(self)


# A machine of its own with a system of today.
VIRTUAL = NodeFacts(in_container=False, from_image=False, cgroup_version=2, sys_resource=True)


def emulated(host: Remote) -> bool:
    """Whether its processors are, by QEMU without the hardware's help: all takes ten times as long there."""
    # "kvm" where the hardware helps; containers and metal have other names yet.
    return host.run(["systemd-detect-virt"], _ASK_SECONDS, check=False).stdout.strip() == "qemu"
