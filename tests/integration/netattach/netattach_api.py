"""A small API server over TLS: pods' status, NADs and events, with the faults that a real one can have."""

from __future__ import annotations

import ctypes
import datetime
import ipaddress
import json
import os
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOKEN = "a-token-of-the-test"  # noqa: S105 - opens nothing but the stand-in
_CLONE_NEWNET = 0x40000000
NADS = "network-attachment-definitions"

# The policy that lets nobody but administrators write networks without the tenants' label, as far as netattach asks.
ADMISSION = {
    "validatingadmissionpolicies": {"failurePolicy": "Fail"},
    "validatingadmissionpolicybindings": {"policyName": "tenant-networks", "validationActions": ["Deny"]},
}


class ApiServer:
    """What it serves (`nads`, `pods`), what it was told (`requests`, `statuses`, `events`), and its faults."""

    def __init__(self, folder: Path, netns: Path) -> None:
        self.nads: dict[str, str | None] = {}
        self.labelled: set[str] = set()  # tenants' networks, by NAMESPACE/NAME
        self.admission: dict[str, dict[str, Any]] = {kind: dict(spec) for kind, spec in ADMISSION.items()}
        self.pods: dict[str, str] = {}
        self.mirrors: dict[str, str] = {}  # UIDs of static pods, as their mirrors' annotation has them
        self.statuses: dict[str, list[dict[str, Any]]] = {}
        self.events: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.delay = 0.0
        self.refuse = 0  # answer everything with this status
        self.fail_first = 0  # answer so many requests with 503 first
        self.crd = True
        self.chunked = False
        self.token = TOKEN
        certificate, key = make_certificate(folder)
        self.ca = certificate.read_bytes()
        self.server = _listen(self, netns)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def _listen(api: ApiServer, netns: Path) -> ThreadingHTTPServer:
    """A server whose listening socket was made inside `netns`: a socket stays where it was made."""
    made: list[ThreadingHTTPServer] = []

    def work() -> None:
        with netns.open() as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        handler = type("Handler", (_Handler,), {"api": api})
        ThreadingHTTPServer.request_queue_size = 128
        made.append(ThreadingHTTPServer(("127.0.0.1", 0), handler))

    thread = threading.Thread(target=work)  # a thread of its own: the network namespace is a thread's
    thread.start()
    thread.join()
    return made[0]


class _Handler(BaseHTTPRequestHandler):
    api: ApiServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        return

    def _reply(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        if self.api.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            half = len(data) // 2
            data = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (data[:half], data[half:], b""))
        else:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _refusal(self, status: int, message: str, **details: str) -> None:
        self._reply(status, {"kind": "Status", "code": status, "message": message, "details": details})

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, ssl.SSLError):
            self.close_connection = True

    def _serve(self) -> None:
        api = self.api
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"null")
        api.requests.append(f"{self.command} {self.path}")
        time.sleep(api.delay)
        if api.fail_first > 0:
            api.fail_first -= 1
            self._refusal(503, "starting up")
        elif api.refuse:
            self._refusal(api.refuse, "refused by the test")
        elif self.headers.get("Authorization") != f"Bearer {api.token}":
            self._refusal(401, "Unauthorized")
        else:
            self._answer(self.path.strip("/").split("/"), body)

    do_GET = do_POST = do_PATCH = _serve

    def _answer(self, path: list[str], body: Any) -> None:
        match (self.command, path):
            case ("GET", ["apis", "k8s.cni.cncf.io", "v1", "namespaces", namespace, kind, name]) if kind == NADS:
                self._nad(namespace, name)
            case ("GET", ["apis", "admissionregistration.k8s.io", "v1", kind, "tenant-networks"]):
                found = self.api.admission.get(kind)
                self._reply(200, {"spec": found}) if found else self._refusal(404, "not found", name="tenant-networks")
            case ("PATCH", ["api", "v1", "namespaces", namespace, "pods", name, "status"]):
                self._status(f"{namespace}/{name}", body)
            case ("POST", ["api", "v1", "namespaces", _, "events"]):
                if any(event["metadata"]["name"] == body["metadata"]["name"] for event in self.api.events):
                    self._refusal(409, "exists")
                else:
                    self.api.events.append(body)
                    self._reply(201, body)
            case _:
                self._refusal(403, f"netattach has no business with {self.path}")

    def _nad(self, namespace: str, name: str) -> None:
        key = f"{namespace}/{name}"
        if not self.api.crd:
            self._refusal(404, "the server could not find the requested resource")
        elif key not in self.api.nads:
            self._refusal(404, f'{NADS} "{name}" not found', name=name, kind=NADS)
        else:
            config = self.api.nads[key]
            spec = {} if config is None else {"config": config}
            labels = {"mcastlab.io/tenant": ""} if key in self.api.labelled else {}
            self._reply(200, {"metadata": {"name": name, "namespace": namespace, "labels": labels}, "spec": spec})

    def _mirror_status(self, key: str, test: dict[str, Any], add: dict[str, Any]) -> None:
        """A JSON patch, as for static pods: the mirror's annotation has the UID that kubelet gave the pod."""
        if key not in self.api.pods:
            self._refusal(404, "pod gone", name=key)
        elif (test["op"], test["path"]) != ("test", "/metadata/annotations/kubernetes.io~1config.hash"):
            self._refusal(400, "not a test of the hash")
        elif self.api.mirrors.get(key) != test["value"]:
            self._refusal(422, "the server rejected our request due to an error in our request")
        else:
            assert (add["op"], add["path"]) == ("add", "/metadata/annotations/k8s.v1.cni.cncf.io~1network-status")
            self.api.statuses[key] = json.loads(add["value"])
            self._reply(200, {})

    def _status(self, key: str, body: Any) -> None:
        if self.headers.get("Content-Type") == "application/json-patch+json":
            self._mirror_status(key, *body)
        elif self.headers.get("Content-Type") != "application/merge-patch+json":
            self._refusal(415, "not a merge patch")
        elif key not in self.api.pods:
            self._refusal(404, "pod gone", name=key)
        elif body["metadata"].get("uid", self.api.pods[key]) != self.api.pods[key]:
            self._refusal(422, "metadata.uid: Invalid value: field is immutable")  # what a real one says
        else:
            annotations = body["metadata"]["annotations"]
            self.api.statuses[key] = json.loads(annotations["k8s.v1.cni.cncf.io/network-status"])
            self._reply(200, {})


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "netattach-test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = (folder / "tls.crt", folder / "tls.key")
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths
