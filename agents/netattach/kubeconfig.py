"""The credentials file that the DaemonSet keeps fresh: a kubeconfig in JSON, with one cluster and one user."""

from __future__ import annotations

import json
import os


class Unusable(Exception):
    """The file is absent, or not what netattach writes."""


class Kubeconfig:
    """Where the API server is, and how to be let in."""

    def __init__(self, path: str) -> None:
        """Read `path`; Unusable says why it cannot be used."""
        try:
            with open(path, encoding="utf-8") as file:
                config = json.load(file)
                self.stamp = os.fstat(file.fileno()).st_mtime_ns
            cluster = config["clusters"][0]["cluster"]
            self.server = str(cluster["server"])
            self.ca_data = str(cluster.get("certificate-authority-data") or "")
            self.token = str(config["users"][0]["user"]["token"])
        except FileNotFoundError as error:
            raise Unusable(f'"{path}" is not there; the DaemonSet "netattach" writes it') from error
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise Unusable(f'"{path}" is not a kubeconfig that netattach can read: {error!r}') from error
        scheme, _, address = self.server.partition("://")
        host, _, port = address.rstrip("/").rpartition(":")
        if scheme not in ("http", "https") or not host or not port.isdigit():
            raise Unusable(f'"{path}" names the server "{self.server}", not https://ADDRESS:PORT')
        self.tls = scheme == "https"
        self.host = host.strip("[]")
        self.port = int(port)


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
