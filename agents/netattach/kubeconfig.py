"""The credentials file that the DaemonSet keeps fresh: a kubeconfig in JSON, with one cluster and one user."""

from __future__ import annotations

import json

from .errors import Damaged
from .files import read_json

OWN_WRITER = "netattach"


class Unusable(Exception):
    """The file is absent, or not what netattach writes."""


class Kubeconfig:
    """Where the API server is, and how to be let in."""

    def __init__(self, path: str, daemon_set: str = OWN_WRITER) -> None:
        """Read `path`, which `daemon_set` writes; Unusable says why it cannot be used."""
        self.path = path
        writer = f'the DaemonSet "{daemon_set}" writes it'
        try:
            config = _mapping(read_json(path, f"remove it: {writer} anew"))
            cluster = config["clusters"][0]["cluster"]
            self.server = str(cluster["server"])
            self.ca_data = str(cluster.get("certificate-authority-data") or "")
            self.token = str(config["users"][0]["user"]["token"])
        except FileNotFoundError as error:
            raise Unusable(f'"{path}" is not there; {writer}') from error
        except Damaged as error:
            raise Unusable(str(error)) from error
        except (LookupError, TypeError, AttributeError) as error:
            raise Unusable(f'"{path}" is not a kubeconfig that netattach can read: {error!r}; {writer}') from error
        scheme, _, address = self.server.partition("://")
        host, _, port = address.rstrip("/").rpartition(":")
        if scheme not in ("http", "https") or not host or not port.isdecimal() or int(port) > 65535:
            raise Unusable(f'"{path}" names the server "{self.server}", not https://ADDRESS:PORT; {writer}')
        if not self.token.isascii() or not self.token.isprintable():
            raise Unusable(f'"{path}" holds a token that is none; {writer}')
        self.tls = scheme == "https"
        self.host = host.strip("[]")
        self.port = int(port)


def _mapping(found: object) -> dict[str, list[dict[str, dict[str, object]]]]:
    if not isinstance(found, dict):
        raise TypeError("no object")
    return found


def render(server: str, ca: bytes, token: str) -> bytes:
    """A kubeconfig that Kubeconfig and kubectl both read (JSON is YAML)."""
    from base64 import b64encode

    name = "netattach"
    cluster = {"server": server, "certificate-authority-data": b64encode(ca).decode()}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        },
        indent=1,
    ).encode()
