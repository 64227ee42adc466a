"""Where the plug-in `bind` knocks: a socket that answers once the rules know every port recorded before."""

from __future__ import annotations

import logging
import socket
import threading
from pathlib import Path

from .enforcer import Enforcer

_LOG = logging.getLogger("multicast-policy")
_SECONDS = 5.0


def serve(path: Path, enforcer: Enforcer) -> None:
    """Answer everyone who connects to `path`; never returns."""
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(128)
        while True:
            caller, _ = listener.accept()
            # A ticket is taken before the next caller is: each pod waits for its own port and no other.
            ticket = enforcer.request()
            threading.Thread(target=_answer, args=(caller, enforcer, ticket), daemon=True).start()


def _answer(caller: socket.socket, enforcer: Enforcer, ticket: int) -> None:
    with caller:
        if not enforcer.wait(ticket, _SECONDS):
            _LOG.error("a port could not be bound within %.0f s", _SECONDS)
            return
        try:
            caller.sendall(b"ok\n")
        except OSError:
            return  # it had nothing to wait for
