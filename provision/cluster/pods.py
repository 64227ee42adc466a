"""Pods: create them, wait for them and say why they do not start, run commands in them, remove them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from provision.cluster.api import FIELD_MANAGER, Kube, KubeError, Object, checked, message, refused
from provision.core.errors import CommandError
from provision.core.run import Completed
from provision.core.wait import Deadline, NotYet, until

# Waiting reasons of a container that no waiting mends.
_HOPELESS = {"ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError", "CrashLoopBackOff"}


class Pods:
    """The pods of one cluster; may be used by several threads at once."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def create(self, manifest: Object, deadline: Deadline) -> None:
        """Create a pod, waiting for its namespace's service account, which a new cluster makes a little later."""
        namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        path = f"/api/v1/namespaces/{namespace}/pods"

        def probe() -> bool | NotYet:
            status, text = self._kube.request("POST", path, query={"fieldManager": FIELD_MANAGER}, body=manifest)
            too_early = (status == 403 and "serviceaccount" in text) or (status == 409 and "being deleted" in text)
            if too_early:
                return NotYet(message(text))
            checked(status, text, f"{path}/{name}")
            return True

        until(f"pod '{namespace}/{name}' to be accepted", probe, deadline)

    def wait(self, namespace: str, name: str, deadline: Deadline) -> Object:
        """The pod once all its containers run or it has succeeded; its events say why when it does not come that far.

        Raises KubeError at once when it has failed for good, WaitError at the deadline.
        """

        def probe() -> Object | NotYet:
            pod = self._kube.find(_pod_path(namespace, name))
            if pod is None:
                return NotYet("no such pod")
            running, seen, hopeless = pod_state(pod)
            if running:
                return pod
            if hopeless or deadline.expired:  # only then does anybody read them, and asking costs as much as all else
                seen = "; ".join([seen, *self.warnings(namespace, name)])
            if hopeless:
                raise KubeError(f"Pod '{namespace}/{name}' does not start: {seen}")
            return NotYet(seen)

        return until(f"pod '{namespace}/{name}' to run", probe, deadline, interval=0.25)

    def running(self, namespace: str, name: str) -> bool:
        """Whether the pod's containers run at this moment."""
        pod = self._kube.find(_pod_path(namespace, name))
        return pod is not None and pod["status"].get("phase") == "Running" and pod_state(pod)[0]

    def warnings(self, namespace: str, name: str) -> list[str]:
        """The latest Warning event of each reason, verbatim, as 'reason: message'."""
        selector = f"involvedObject.kind=Pod,involvedObject.name={name},type=Warning"
        events = self._kube.items(f"/api/v1/namespaces/{namespace}/events", fieldSelector=selector)
        events.sort(key=lambda event: event.get("lastTimestamp") or event["metadata"]["creationTimestamp"])
        latest = {event["reason"]: event["message"] for event in events}
        return [f"{reason}: {message}" for reason, message in latest.items()]

    def delete(self, namespace: str, name: str, grace: int = 1) -> None:
        """Ask for the pod to be deleted after `grace` seconds; one that does not exist is no error."""
        path = _pod_path(namespace, name)
        status, text = self._kube.request("DELETE", path, query={"gracePeriodSeconds": str(grace)})
        if status != 404:
            checked(status, text, path)

    def wait_gone(self, namespace: str, name: str, deadline: Deadline) -> None:
        def probe() -> bool | NotYet:
            pod = self._kube.find(_pod_path(namespace, name))
            return True if pod is None else NotYet(f"phase {pod['status'].get('phase')}")

        until(f"pod '{namespace}/{name}' to be gone", probe, deadline)

    def logs(self, namespace: str, name: str) -> str:
        """What the pod's only container has printed so far; empty before it has started."""
        path = f"{_pod_path(namespace, name)}/log"
        status, text = self._kube.request("GET", path)
        if status == 400:  # "container … is waiting to start"
            return ""
        if status >= 300:
            raise refused(status, text, path)
        return text

    def exec(self, namespace: str, name: str, argv: Sequence[str], timeout: float, check: bool = True) -> Completed:
        """Run `argv` in the pod's only container; raises CommandError when it fails or does not end in time."""
        started = time.monotonic()
        pod = f"{namespace}/{name}"
        out, err, code = self._exec(namespace, name, argv, timeout)
        done = Completed(tuple(argv), -1 if code is None else code, out, err, time.monotonic() - started)
        if code is None:
            raise CommandError(
                f"Command '{argv[0]}' in pod '{pod}' did not end within {timeout:.0f} s", detail=err or out
            )
        if check and code != 0:
            raise CommandError(f"Command '{argv[0]}' in pod '{pod}' failed with exit code {code}", detail=err or out)
        return done

    def _exec(self, namespace: str, name: str, argv: Sequence[str], timeout: float) -> tuple[str, str, int | None]:
        """(standard output, standard error, exit code or None when the time limit passed)."""
        from kubernetes.stream import ws_client

        client = self._kube.client()
        query = [("command", part) for part in argv] + [("stdout", "true"), ("stderr", "true")]
        path = f"{_pod_path(namespace, name)}/exec?{urlencode(query)}"
        _method, url, headers, _body, _form = client.param_serialize("GET", path, auth_settings=["BearerToken"])
        try:
            address = ws_client.get_websocket_url(url)  # type: ignore[no-untyped-call]
            socket: Any = ws_client.WSClient(  # type: ignore[no-untyped-call]
                client.configuration, address, headers, capture_all=False
            )
        except Exception as error:  # the client raises whatever its WebSocket library does
            raise KubeError(f"Pod '{namespace}/{name}' runs no command: {error}") from error
        try:
            socket.run_forever(timeout=timeout)
            finished = not socket.is_open()
            # Reading decodes what has come; it must not wait for more.
            out = socket.read_channel(ws_client.STDOUT_CHANNEL)
            err = socket.read_channel(ws_client.STDERR_CHANNEL)
            status = socket.read_channel(ws_client.ERROR_CHANNEL) if finished else ""
            return out, err, exit_code(status) if finished else None
        finally:
            socket.close()


def pod_state(pod: Object) -> tuple[bool, str, bool]:
    """(runs or has succeeded, what is seen, hopeless) of a Pod object of the API."""
    status = pod.get("status", {})
    phase = str(status.get("phase", "Pending"))
    containers = status.get("containerStatuses", [])
    waiting = [entry["state"]["waiting"] for entry in containers if "waiting" in entry.get("state", {})]
    seen = [f"phase {phase}", *(f"{entry.get('reason')} {entry.get('message', '')}".rstrip() for entry in waiting)]
    seen += [
        f"container ended with exit code {entry['state']['terminated'].get('exitCode')}"
        for entry in containers
        if "terminated" in entry.get("state", {})
    ]
    going = bool(containers) and all("running" in entry.get("state", {}) for entry in containers)
    hopeless = phase == "Failed" or any(entry.get("reason") in _HOPELESS for entry in waiting)
    return phase == "Succeeded" or (phase == "Running" and going), "; ".join(seen), hopeless


def exit_code(status: str) -> int:
    """The exit code in the Status that ends an exec; raises CommandError when the command did not even start."""
    answer = json.loads(status) if status else {}
    if answer.get("status") == "Success":
        return 0
    for cause in answer.get("details", {}).get("causes", []):
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    raise CommandError(f"A command in a pod did not start: {answer.get('message') or 'the connection was lost'}")


def _pod_path(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods/{name}"
