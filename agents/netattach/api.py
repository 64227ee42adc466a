"""The Kubernetes API, as far as netattach needs it: every call is bounded, and tried again where that can help."""

from __future__ import annotations

import json
import time
from ssl import SSLContext

from .errors import API_REFUSED, TRY_AGAIN, CniError
from .https import Broken, Connection, Response
from .kubeconfig import OWN_WRITER, Kubeconfig, Unusable

# Answers that pass: a token not yet known or just expired, too many requests, a server that starts or stops.
_PASSING = (401, 408, 429, 500, 502, 503, 504)
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0


class Api:
    """The API server of the kubeconfig at `path`, which the DaemonSet `writer` writes; each call ends within `timeout`
    seconds."""

    def __init__(self, path: str, timeout: float, writer: str = OWN_WRITER) -> None:
        self.path = path
        self.writer = writer
        self.timeout = timeout
        self.config: Kubeconfig | None = None
        self.connection: Connection | None = None

    def call(
        self, method: str, path: str, body: object = None, *, kind: str = "json", timeout: float | None = None
    ) -> tuple[int, dict[str, object]]:
        """Status and object of one request: 2xx, 404, 409 and 422 are for the caller to judge.

        Raises CniError 11 when no answer can be had in time, 102 when the server refuses.
        """
        bound = timeout or self.timeout
        deadline = time.monotonic() + bound
        pause = _FIRST_PAUSE
        while True:
            try:
                response = self._once(method, path, body, kind, deadline)
                if response.status not in _PASSING:
                    return _judge(method, path, response)
                seen = f"it answered {response.status}: {_message(response)}"
            except (Broken, Unusable, OSError) as error:
                seen = str(error)
            if time.monotonic() + pause >= deadline:
                raise CniError(
                    TRY_AGAIN,
                    f"the Kubernetes API server gave no usable answer in {bound:g} seconds",
                    f"{method} {path} at {self._server()}: {seen}",
                )
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _once(self, method: str, path: str, body: object, kind: str, deadline: float) -> Response:
        config, connection = self._connect()
        headers = {"Authorization": f"Bearer {config.token}", "Accept": "application/json"}
        data = b""
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = f"application/{kind}"
        headers["User-Agent"] = "netattach"
        return connection.request(method, path, headers, data, deadline)

    def _connect(self) -> tuple[Kubeconfig, Connection]:
        """The connection for the kubeconfig as it stands now: its token may have been renewed since the last try."""
        config = Kubeconfig(self.path, self.writer)
        if self.connection is None or self.config is None or vars(config) != vars(self.config):
            if self.connection is not None:
                self.connection.close()
            self.connection = Connection(config.host, config.port, _trust(config))
            self.config = config
        return config, self.connection

    def _server(self) -> str:
        return self.config.server if self.config else "an address not known yet"


def _trust(config: Kubeconfig) -> SSLContext | None:
    """A TLS context that accepts the cluster's own authority and no other; None for a server without TLS."""
    if not config.tls:
        return None
    import ssl
    from base64 import b64decode

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=b64decode(config.ca_data).decode())
    except (ValueError, ssl.SSLError) as error:
        raise Unusable(f'the certificate authority in "{config.path}" is not usable: {error}') from error
    return context


def _judge(method: str, path: str, response: Response) -> tuple[int, dict[str, object]]:
    if response.status in (404, 409, 422) or 200 <= response.status < 300:
        try:
            found = json.loads(response.body or b"{}")
        except ValueError:
            found = {}
        return response.status, found if isinstance(found, dict) else {}
    raise CniError(
        API_REFUSED,
        f"the Kubernetes API server refused netattach with status {response.status}",
        f"{method} {path}: {_message(response)}",
    )


def _message(response: Response) -> str:
    try:
        return str(json.loads(response.body)["message"])
    except (ValueError, LookupError, TypeError):
        return response.body[:200].decode(errors="replace")
