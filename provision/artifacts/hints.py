"""What tools say when they fail, and what to do about it."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from provision.core.errors import CommandError, HostError

# (pattern in the output, what is wrong, remedy); the first that matches wins.
_HINTS = (
    (
        r"[Nn]o space left on device|ENOSPC",
        "the disk is full",
        "Free some space, or set MCASTLAB_CACHE (and TMPDIR, GOCACHE, GOMODCACHE) to another disk",
    ),
    (
        r"SECURITY ERROR|checksum mismatch",
        "a module is not what go.sum says",
        "Do not go on: find out who changes modules on the way (GOPROXY), or whether bundle/ was edited by hand",
    ),
    (
        r"Temporary failure resolving|Could not (resolve|connect)|Unable to connect|Failed to fetch",
        "the Debian archive cannot be reached",
        "Check the network and the sources of apt: `apt-get update`",
    ),
    (
        r"NO_PUBKEY|is not signed|invalid signature",
        "the Debian archive's signature is not accepted",
        "apt-get install debian-archive-keyring",
    ),
    (
        r"(proxyconnect|dial) tcp|no such host|i/o timeout|TLS handshake|connection re(fused|set)|"
        r"GOPROXY list is not|module lookup disabled|unexpected status.*5\d\d|x509:",
        "the Go module proxy cannot be reached",
        "Check the network, and GOPROXY, GOFLAGS and https_proxy: `go env GOPROXY`",
    ),
    (
        r"requires go >= \S+ \(running go",
        "this machine's Go is too old",
        "Allow Go to fetch a newer one (GOTOOLCHAIN=auto), or install it",
    ),
    (
        r"signal: killed|cannot allocate memory",
        "the machine has too little memory",
        "Give it at least 4 GiB, or set GOFLAGS=-p=1",
    ),
)


@contextmanager
def tool_hints(label: str) -> Iterator[None]:
    """Turn what a tool or the kernel says inside the block into a HostError about `label`, with its remedy."""
    try:
        yield
    except CommandError as error:
        for pattern, problem, remedy in _HINTS:
            if re.search(pattern, error.detail):
                raise HostError(
                    f"'{label}' could not be made: {problem}", where=error.where, detail=error.detail, remedy=remedy
                ) from error
        raise
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise HostError(
            f"'{label}' could not be made: {'the disk is full' if full else error.strerror}",
            where=str(error.filename or ""),
            remedy=_HINTS[0][2] if full else "Check the folder and its owner, or set MCASTLAB_CACHE to another place",
        ) from error
