"""The door to the cluster, against a small server that answers as an API server does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from provision.cluster.api import Kube, KubeError
from provision.cluster.pods import Pods
from provision.core.errors import HostError, InputError, WaitError
from provision.core.wait import Deadline

GROUP = "/apis/k8s.cni.cncf.io/v1"
NAD = {
    "apiVersion": "k8s.cni.cncf.io/v1",
    "kind": "NetworkAttachmentDefinition",
    "metadata": {"namespace": "default", "name": "eth1-multicast"},
    "spec": {"config": "{}"},
}
PODS = "/api/v1/namespaces/default/pods"
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "default", "name": "check"}, "spec": {}}


def status(code: int, message: str) -> tuple[int, dict[str, Any]]:
    return code, {"kind": "Status", "status": "Failure", "message": message, "code": code}


class Api:
    """Objects by path; a POST, PATCH or DELETE changes them as the API server would, as far as is asked for here."""

    def __init__(self) -> None:
        resources = [
            {"name": "network-attachment-definitions", "kind": NAD["kind"], "namespaced": True},
            {"name": "network-attachment-definitions/status", "kind": NAD["kind"], "namespaced": True},
        ]
        self.objects: dict[str, Any] = {GROUP: {"resources": resources}}
        self.refusals: list[tuple[int, dict[str, Any]]] = []
        self.requests: list[tuple[str, str, dict[str, list[str]], str]] = []

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if self.refusals:
            return self.refusals.pop(0)
        if method in ("PATCH", "POST"):
            before = self.objects.get(path)
            key = path if method == "PATCH" else f"{path}/{body['metadata']['name']}"
            same = before is not None and before["spec"] == body["spec"]
            version = before["metadata"]["resourceVersion"] if same else str(len(self.requests))
            self.objects[key] = {**body, "metadata": {**body["metadata"], "resourceVersion": version}}
            return (200 if before else 201), self.objects[key]
        if path not in self.objects:
            return status(404, f'"{path}" not found')
        return 200, self.objects.pop(path) if method == "DELETE" else self.objects[path]


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def kube(api: Api, tmp_path: Path) -> Iterator[Kube]:
    class Handler(BaseHTTPRequestHandler):
        def serve(self) -> None:
            parts = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            api.requests.append((self.command, parts.path, parse_qs(parts.query), self.headers["Content-Type"]))
            code, answer = api.answer(self.command, parts.path, json.loads(raw) if raw else None)
            data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_DELETE = serve

        def log_message(self, *_args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Kube(kubeconfig(tmp_path, f"http://127.0.0.1:{server.server_port}"))
    server.shutdown()
    server.server_close()


def kubeconfig(folder: Path, url: str) -> Path:
    path = folder / "kubeconfig"
    document = {
        "clusters": [{"name": "lab", "cluster": {"server": url}}],
        "users": [{"name": "admin", "user": {"token": "secret"}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "admin"}}],
        "current-context": "lab",
    }
    path.write_text(yaml.safe_dump(document))
    return path


def test_apply_tells_created_unchanged_and_changed(kube: Kube, api: Api) -> None:
    other = {**NAD, "spec": {"config": '{"type": "macvlan"}'}}
    lines = [str(kube.apply(manifest)) for manifest in (NAD, NAD, other)]
    prefix = "NetworkAttachmentDefinition default/eth1-multicast"
    assert lines == [f"{prefix} created", f"{prefix} unchanged", f"{prefix} changed"]
    _method, path, query, content = next(entry for entry in api.requests if entry[0] == "PATCH")
    assert path == f"{GROUP}/namespaces/default/network-attachment-definitions/eth1-multicast"
    assert (query, content) == ({"fieldManager": ["mcastlab"], "force": ["true"]}, "application/apply-patch+yaml")


def test_lists_of_an_unknown_kind_are_empty(kube: Kube) -> None:
    assert kube.network_attachments() == []
    assert kube.find("/api/v1/namespaces/default/services/none") is None


def test_networks(kube: Kube, api: Api) -> None:
    api.objects[f"{GROUP}/network-attachment-definitions"] = {"items": [NAD]}
    found = kube.network_attachments()
    assert [(nad.namespace, nad.name, nad.config) for nad in found] == [("default", "eth1-multicast", "{}")]


def test_a_refusal_is_passed_on_verbatim(kube: Kube, api: Api) -> None:
    api.refusals = [status(403, 'nodes is forbidden: User "x" cannot list resource "nodes"')]
    with pytest.raises(KubeError) as caught:
        kube.nodes()
    assert str(caught.value) == (
        '/api/v1/nodes: The API server answered 403: nodes is forbidden: User "x" cannot list resource "nodes"'
        "\n  remedy: Use a kubeconfig whose user may do this, such as a cluster administrator's"
    )
    assert caught.value.status == 403


def test_nothing_answers(tmp_path: Path) -> None:
    with pytest.raises(
        KubeError, match="The API server does not answer: Failed to establish a new connection: "
    ) as caught:
        Kube(kubeconfig(tmp_path, "http://127.0.0.1:1")).nodes()
    assert caught.value.where == "http://127.0.0.1:1"


def test_a_missing_or_broken_kubeconfig_is_named(tmp_path: Path) -> None:
    for text in (None, "", "{", "clusters: []\n"):
        path = tmp_path / "broken"
        if text is not None:
            path.write_text(text)
        with pytest.raises(HostError, match="The kubeconfig cannot be used") as caught:
            Kube(path).nodes()
        assert caught.value.where == str(path)


@pytest.mark.parametrize("text", ["garbage", "clusters: 5\n", "clusters: [5]\n", "- one\n"])
def test_somebodys_file_that_is_no_kubeconfig_is_bad_input(tmp_path: Path, text: str) -> None:
    (tmp_path / "no-kubeconfig").write_text(text)
    with pytest.raises(
        InputError, match=r"no-kubeconfig: The kubeconfig cannot be used: .*\n  remedy: Name another file"
    ):
        Kube(tmp_path / "no-kubeconfig", foreign=True).nodes()


def test_a_pod_waits_for_its_service_account_and_for_its_predecessor(kube: Kube, api: Api) -> None:
    api.refusals = [
        status(403, 'pods "check" is forbidden: error looking up service account default/default: serviceaccount ...'),
        status(409, 'object is being deleted: pods "check" already exists'),
    ]
    Pods(kube).create(POD, Deadline.after(10))
    assert f"{PODS}/check" in api.objects


def test_any_other_refusal_of_a_pod_is_an_error_at_once(kube: Kube, api: Api) -> None:
    api.refusals = [status(422, "Pod is invalid")]
    with pytest.raises(KubeError, match="answered 422: Pod is invalid"):
        Pods(kube).create(POD, Deadline.after(10))


def test_a_pod_that_does_not_start_gives_the_kubelets_own_words(kube: Kube, api: Api) -> None:
    api.objects[f"{PODS}/check"] = {**POD, "status": {"phase": "Pending"}}
    message = 'plugin type="macvlan" failed (add): failed to find plugin "macvlan" in path [/opt/cni/bin]'
    new = {"reason": "FailedCreatePodSandBox", "message": message, "lastTimestamp": "2026-11-21T10:00:09Z"}
    old = {**new, "message": "failed for sandbox 1", "lastTimestamp": "2026-11-21T10:00:01Z"}
    api.objects["/api/v1/namespaces/default/events"] = {"items": [new, old]}
    with pytest.raises(WaitError) as caught:
        Pods(kube).wait("default", "check", Deadline.after(0.3))
    assert caught.value.problem == (
        f"Waited 0 s for pod 'default/check' to run; last seen: phase Pending; FailedCreatePodSandBox: {message}"
    )


def test_a_pod_that_cannot_start_is_not_waited_for(kube: Kube, api: Api) -> None:
    waiting = {"reason": "ErrImageNeverPull", "message": "Container image is not present"}
    api.objects[f"{PODS}/check"] = {**POD, "status": {"containerStatuses": [{"state": {"waiting": waiting}}]}}
    with pytest.raises(
        KubeError, match="does not start: phase Pending; ErrImageNeverPull Container image is not present"
    ):
        Pods(kube).wait("default", "check", Deadline.after(30))


def test_a_pod_that_is_gone_may_be_deleted_again(kube: Kube, api: Api) -> None:
    api.objects[f"{PODS}/check"] = {**POD, "status": {}}
    pods = Pods(kube)
    for _time in range(2):
        pods.delete("default", "check")
    pods.wait_gone("default", "check", Deadline.after(1))


def test_logs_of_a_container_that_has_not_started_are_empty(kube: Kube, api: Api) -> None:
    api.refusals = [status(400, 'container "check" in pod "check" is waiting to start: ContainerCreating')]
    assert Pods(kube).logs("default", "check") == ""
    api.objects[f"{PODS}/check/log"] = "one\ntwo\n"
    assert Pods(kube).logs("default", "check") == "one\ntwo\n"
