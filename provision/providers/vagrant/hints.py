"""What Vagrant and its providers say when they fail, with a remedy of ours below their own words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from provision.core.errors import CommandError

# (pattern in the output, remedy); the first that matches wins.
_HINTS = (
    (
        r"[Bb]ox '.*' could not be found|An error occurred while downloading the remote file",
        "Name a box that you have (`vagrant box list`) as `vagrant.box` in lab.yml, or make one for libvirt without a"
        " download: `mcastlab artifacts build box`",
    ),
    (
        r"Call to virConnectOpen failed|failed to connect to the hypervisor|libvirt-sock",
        "Start libvirtd (`systemctl start libvirtd`), and let this user use it: group libvirt",
    ),
    (
        r"VT-x is (disabled|not available)|AMD-V is (disabled|not available)|KVM is not available",
        "Enable virtualisation in the machine's firmware, or take `vagrant: {machines: docker}`",
    ),
    (
        r"subnet .* overlaps|Network .* is already in use|address already in use|port is already allocated",
        "Another lab or program has it: `mcastlab down --lab FILE` with its file, or give this lab another LAN",
    ),
)


@contextmanager
def vagrant_hints() -> Iterator[None]:
    """Add a remedy to the CommandError of a failed `vagrant`, if one is known; its output stays verbatim."""
    try:
        yield
    except CommandError as error:
        for pattern, remedy in _HINTS:
            if re.search(pattern, error.detail):
                error.remedy = remedy
                break
        raise
