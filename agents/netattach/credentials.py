"""The DaemonSet's program: keep the plug-in's kubeconfig on the node fresh.

kubelet renews the projected ServiceAccount token well before it expires; this copies it, with the server's address and
certificate authority, to the file that the plug-in reads. It is bound to this pod: when the pod goes, the token ends.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from .kubeconfig import render

_PERIOD = 5.0


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
        except OSError as error:
            print(f'netattach: "{target}" cannot be renewed: {error}', file=sys.stderr, flush=True)
        time.sleep(_PERIOD)


def refresh(source: str, target: str, server: str) -> bool:
    """Write `target` if it does not say what `source` says; whether it was written.

    Mode 0600 from its first moment, and replaced whole: a reader sees the old file or the new one.
    """
    with open(f"{source}/ca.crt", "rb") as file:
        ca = file.read()
    with open(f"{source}/token", encoding="ascii") as file:
        token = file.read().strip()
    wanted = render(server, ca, token)
    if _read(target) == wanted:
        return False
    folder = os.path.dirname(target)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    os.chmod(folder, 0o700)
    with open(f"{target}.new", "wb", opener=_private) as file:
        file.write(wanted)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{target}.new", target)
    return True


def _read(path: str) -> bytes:
    try:
        if os.stat(path).st_mode & 0o077:
            return b""  # readable by others: write it anew
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def _private(path: str, flags: int) -> int:
    if os.path.lexists(path):
        os.unlink(path)
    return os.open(path, flags | os.O_EXCL, 0o600)
