"""The DaemonSet's program: keep the plug-in's kubeconfig on the node fresh.

kubelet renews the projected ServiceAccount token well before it expires; this copies it, with the server's address and
certificate authority, to the file that the plug-in reads. It is bound to this pod: when the pod goes, the token ends.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from .errors import CniError
from .files import read, read_text, write_whole
from .kubeconfig import render

_PERIOD = 5.0
_REMEDY = "kubelet writes it: delete the pod, and another one gets it"


def main(argv: list[str]) -> int:
    """`credentials SOURCE TARGET SERVER`: from the projected volume SOURCE to the file TARGET until SIGTERM."""
    if len(argv) != 3:
        sys.stderr.write("usage: netattach credentials SOURCE TARGET https://ADDRESS:PORT\n")
        return 2
    # The first process of a container gets no signal that it does not ask for.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    source, target, server = argv
    while True:
        try:
            if refresh(source, target, server):
                print(f'netattach: renewed "{target}"', flush=True)
        except (CniError, OSError) as error:
            print(f'netattach: "{target}" cannot be renewed: {error}', file=sys.stderr, flush=True)
        time.sleep(_PERIOD)


def refresh(source: str, target: str, server: str) -> bool:
    """Write `target` if it does not say what `source` says; whether it was written.

    Mode 0600 from its first moment, and replaced whole: a reader sees the old file or the new one.
    """
    # Links, since kubelet changes a volume's files by turning one.
    ca = read(f"{source}/ca.crt", _REMEDY, links=True)
    token = read_text(f"{source}/token", _REMEDY, links=True).strip()
    wanted = render(server, ca, token)
    if _read(target) == wanted:
        return False
    folder = os.path.dirname(target)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    os.chmod(folder, 0o700)
    write_whole(target, wanted, durable=True)
    return True


def _read(path: str) -> bytes:
    try:
        if os.stat(path).st_mode & 0o077:
            return b""  # readable by others: write it anew
        return read(path, "")
    except (CniError, OSError):
        return b""  # not there, or damaged: likewise
