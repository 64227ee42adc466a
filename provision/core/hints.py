"""What tools say when they fail, and what to do about it: one entry for each thing said, by the tool that says it."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from provision.core.errors import CommandError, HostError


class Hint(NamedTuple):
    """`said` is a pattern of the output, `problem` what is wrong then, `remedy` what to do."""

    said: str
    problem: str
    remedy: str


ANY = ""
_FULL = Hint(
    r"[Nn]o space left on device|ENOSPC",
    "the disk is full",
    "Free some space, or set MCASTLAB_CACHE (and TMPDIR, GOCACHE, GOMODCACHE) to another disk",
)
# By the command whose words they are, the first that matches wins; then those that any command may say.
HINTS = {
    "go": (
        Hint(
            r"SECURITY ERROR|checksum mismatch",
            "a module is not what go.sum says",
            "Do not go on: find out who changes modules on the way (GOPROXY), or whether bundle/ was edited by hand",
        ),
        Hint(
            r"(proxyconnect|dial) tcp|no such host|i/o timeout|TLS handshake|connection re(fused|set)|"
            r"GOPROXY list is not|module lookup disabled|unexpected status.*5\d\d|x509:",
            "the Go module proxy cannot be reached",
            "Check the network, and GOPROXY, GOFLAGS and https_proxy: `go env GOPROXY`",
        ),
        Hint(
            r"requires go >= \S+ \(running go",
            "this machine's Go is too old",
            "Allow Go to fetch a newer one (GOTOOLCHAIN=auto), or install it",
        ),
    ),
    "mmdebstrap": (
        Hint(
            r"Temporary failure resolving|Could not (resolve|connect)|Unable to connect|Failed to fetch",
            "the Debian archive cannot be reached",
            "Check the network and the sources of apt: `apt-get update`",
        ),
        Hint(
            r"NO_PUBKEY|is not signed|invalid signature",
            "the Debian archive's signature is not accepted",
            "`apt-get install debian-archive-keyring`",
        ),
    ),
    "vagrant": (
        Hint(
            r"[Bb]ox '.*' could not be found|An error occurred while downloading the remote file",
            "the box cannot be had",
            "Name a box that you have (`vagrant box list`) as `vagrant.box` in lab.yml, or make one for libvirt without"
            " a download: `mcastlab artifacts build box`",
        ),
        Hint(
            r"Call to virConnectOpen failed|failed to connect to the hypervisor|libvirt-sock",
            "libvirtd does not answer",
            "Start libvirtd (`systemctl start libvirtd`), and let this user use it: group libvirt",
        ),
        Hint(
            r"VT-x is (disabled|not available)|AMD-V is (disabled|not available)|KVM is not available",
            "the machine has no virtualisation",
            "Enable virtualisation in the machine's firmware, or take `vagrant: {machines: docker}`",
        ),
        Hint(
            r"subnet .* overlaps|Network .* is already in use|address already in use|port is already allocated",
            "a subnet or port is in use",
            "Run `mcastlab down --lab FILE` with the file of the lab that has it, end the program that has it, or give"
            " this lab another LAN",
        ),
    ),
    ANY: (
        _FULL,
        Hint(
            r"signal: killed|[Cc]annot allocate memory",
            "the machine has too little memory",
            "Give it at least 4 GiB, or set GOFLAGS=-p=1",
        ),
    ),
}


def hint(error: CommandError) -> Hint | None:
    """What is known of the output of the command that failed; `where` of the error is that command."""
    words = {word.rpartition("/")[2] for word in error.where.split()}
    for tool, hints in HINTS.items():
        if tool == ANY or tool in words:
            for one in hints:
                if re.search(one.said, error.detail):
                    return one
    return None


@contextmanager
def hinted() -> Iterator[None]:
    """Add to the CommandError of a command inside the block what its words mean; they stay verbatim."""
    try:
        yield
    except CommandError as error:
        if known := hint(error):
            error.problem += f": {known.problem}"
            error.remedy = known.remedy
        raise


@contextmanager
def making(what: str) -> Iterator[None]:
    """Turn what a command or the kernel says inside the block into a HostError about `what`, which begins a sentence.

    A CommandError of which nothing is known passes as it is.
    """
    try:
        yield
    except CommandError as error:
        known = hint(error)
        if known is None:
            raise
        raise HostError(
            f"{what} could not be made: {known.problem}",
            where=error.where,
            detail=error.detail,
            remedy=known.remedy,
        ) from error
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise HostError(
            f"{what} could not be made: {_FULL.problem if full else error.strerror}",
            where=str(error.filename or ""),
            remedy=_FULL.remedy if full else "Check the folder and its owner, or set MCASTLAB_CACHE to another place",
        ) from error
