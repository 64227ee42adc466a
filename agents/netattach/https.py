"""HTTP/1.1 over one kept connection, by a deadline; what the API server needs and no more.

http.client loads the e-mail package, 11 ms of every annotated pod's start; it also bounds each read and not the
whole exchange, so that a server which drips could hold a pod for ever.
"""

from __future__ import annotations

import socket
import time
from ssl import SSLContext

_LIMIT = 8 << 20  # bytes of one response; an object in etcd has at most 1.5 MiB


class Broken(Exception):
    """The exchange did not come to its end: no connection, a cut one, no answer in time, or no HTTP."""


class Response:
    """`status`, `headers` by lower-case name, and the whole `body`."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


class Connection:
    """A connection to `host`:`port`; opened by the first request, again after `close`."""

    def __init__(self, host: str, port: int, context: SSLContext | None) -> None:
        self.host = host
        self.port = port
        self.context = context
        self.socket: socket.socket | None = None
        self.buffer = b""

    def close(self) -> None:
        """Drop the connection, if there is one."""
        if self.socket is not None:
            self.socket.close()
        self.socket = None
        self.buffer = b""

    def request(self, method: str, path: str, headers: dict[str, str], body: bytes, deadline: float) -> Response:
        """One exchange that ends before `deadline` (time.monotonic); Broken when it cannot be had."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}:{self.port}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        try:
            connection = self._open(deadline)
            connection.settimeout(_left(deadline))
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
            return self._response(deadline)
        except (OSError, ValueError) as error:
            self.close()
            raise Broken(str(error) or type(error).__name__) from error

    def _open(self, deadline: float) -> socket.socket:
        if self.socket is None:
            host = self.host.encode("ascii")  # of text Python makes IDNA, whose tables take 6 ms to load
            plain = socket.create_connection((host, self.port), timeout=_left(deadline))
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket = plain
            if self.context is not None:
                self.socket = self.context.wrap_socket(plain, server_hostname=host)
        return self.socket

    def _response(self, deadline: float) -> Response:
        status_line, *fields = self._until(b"\r\n\r\n", deadline).decode("latin-1").split("\r\n")
        version, status = status_line.split(" ", 2)[:2]
        if not version.startswith("HTTP/1."):
            raise ValueError(f'no HTTP response: "{status_line[:80]}"')
        headers = {name.strip().lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)}
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = self._chunks(deadline)
        else:
            body = self._exactly(int(headers.get("content-length", "0")), deadline)
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Response(int(status), headers, body)

    def _chunks(self, deadline: float) -> bytes:
        body = b""
        while size := int(self._until(b"\r\n", deadline).split(b";")[0], 16):
            body += self._exactly(size, deadline)
            self._exactly(2, deadline)
            if len(body) > _LIMIT:
                raise ValueError("the response is too long")
        while self._until(b"\r\n", deadline):
            pass  # trailers
        return body

    def _until(self, mark: bytes, deadline: float) -> bytes:
        while mark not in self.buffer:
            self._fill(deadline)
        found, self.buffer = self.buffer.split(mark, 1)
        return found

    def _exactly(self, size: int, deadline: float) -> bytes:
        if size > _LIMIT:
            raise ValueError("the response is too long")
        while len(self.buffer) < size:
            self._fill(deadline)
        found, self.buffer = self.buffer[:size], self.buffer[size:]
        return found

    def _fill(self, deadline: float) -> None:
        connection = self._open(deadline)
        connection.settimeout(_left(deadline))
        data = connection.recv(65536)
        if not data:
            raise ValueError("the connection was closed before the response ended")
        self.buffer += data
        if len(self.buffer) > _LIMIT:
            raise ValueError("the response is too long")


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
