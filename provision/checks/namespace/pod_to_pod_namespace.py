"""pod-to-pod-namespace: mlistener and msender, with socat, exactly as OpenShift's documentation verifies a project."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address

from provision import multicast
from provision.checks.result import Figure, Outcome, failed, passed
from provision.core.run import Completed
from provision.core.text import named
from provision.core.wait import Deadline, NotYet, until
from provision.multicast.detect import NETWORK
from provision.traffic.namespaces import Space
from provision.traffic.places import PodPlace, address, snapshot
from provision.traffic.testbed import Testbed

_GROUP, _PORT = "224.1.0.1", 30102
_LISTEN_SECONDS = 60
_JOIN_SECONDS = 10.0
_ATTEMPTS = 5


@dataclass(frozen=True)
class Pair:
    """A listener, which answers with its host name, and a sender of one namespace; `wanted`: whether it must answer."""

    name: str
    wanted: bool
    listener: PodPlace
    sender: PodPlace


def run(testbed: Testbed) -> Outcome:
    """Two pairs at once, each in a namespace of its own and each the other's outsider: both have joined one group.

    With `check --namespace`, the first pair is in that namespace, and must be silent where it is not enabled.
    """
    pairs = _pairs(testbed)
    with ThreadPoolExecutor(len(pairs)) as listening:
        running = [listening.submit(_listen, pair.listener) for pair in pairs]
        try:
            for pair in pairs:
                _wait_for_join(pair, running)
            # One pair after the other: an answer then says who was asked.
            heard = {pair.name: _ask(testbed, pair) for pair in pairs}
        finally:
            for pair in pairs:
                pair.listener.run(["pkill", "-x", "socat"], 15, check=False)
    figures = tuple(Figure(f"answers_{name}", len(answers), "answers") for name, answers in heard.items())
    for pair in pairs:
        if problem := trouble(pair.name, heard[pair.name], wanted=pair.wanted):
            return failed(problem, *figures)
    return passed(_found(pairs), *figures)


def trouble(hostname: str, answers: Sequence[str], *, wanted: bool) -> str:
    """What is wrong with the answers that a sender printed, when only `hostname` may answer, and must if `wanted`."""
    foreign = sorted(set(answers) - {hostname})
    if foreign:
        return f"The sender beside '{hostname}' was answered by {named(foreign)}, of another namespace"
    if wanted and not answers:
        return f"The sender had no answer from '{hostname}', which has joined {_GROUP}"
    if answers and not wanted:
        return f"'{hostname}' answered, although its namespace is not enabled"
    return ""


def _found(pairs: Sequence[Pair]) -> str:
    asked = pairs[0]
    where = asked.listener.namespace
    if not asked.wanted:
        return f"Namespace '{where}' is not enabled, and '{asked.name}' did not answer; '{pairs[1].name}' did"
    return f"'{asked.name}' answered its sender: multicast is in force in '{where}', and nobody elsewhere heard it"


def _pairs(testbed: Testbed) -> list[Pair]:
    with ThreadPoolExecutor(2) as starting:
        first = starting.submit(_pair, testbed, testbed.namespace, Space("red", multicast=True), "mlistener")
        second = starting.submit(_pair, testbed, "", Space("blue", multicast=True), "outsider")
        return [first.result(), second.result()]


def _pair(testbed: Testbed, namespace: str, space: Space, hostname: str) -> Pair:
    wanted = True
    if namespace:
        wanted = multicast.status(testbed.kube, testbed.found(), [namespace])[0].wanted
    where = namespace or testbed.spaces.namespace(space)
    with ThreadPoolExecutor(2) as starting:
        listener = starting.submit(testbed.spaces.pod, where, hostname, hostname=hostname)
        # In one that was made for this run, any pod that other checks use as well will do.
        shared = f"{space}-{space.name}2"
        sender = starting.submit(testbed.spaces.pod, where, "msender" if namespace else shared).result()
    return Pair(hostname, wanted, listener.result(), sender)


def _listen(place: PodPlace) -> Completed:
    receive = f"UDP4-RECVFROM:{_PORT},ip-add-membership={_GROUP}:{address(place)},fork"
    argv = ["timeout", str(_LISTEN_SECONDS), "socat", receive, "EXEC:hostname"]
    return place.run(argv, _LISTEN_SECONDS + 15, check=False)


def _wait_for_join(pair: Pair, running: Sequence[Future[Completed]]) -> None:
    def probe() -> bool | NotYet:
        for future in running:
            if future.done():
                return NotYet(f"socat has ended: {future.result().stderr.strip()}")
        joined = snapshot(pair.listener).joined(IPv4Address(_GROUP))
        return True if joined else NotYet("no membership")

    until(f"{pair.listener.label} to join {_GROUP}", probe, Deadline.after(_JOIN_SECONDS))


def _ask(testbed: Testbed, pair: Pair) -> list[str]:
    """The host names that answered; asked again where nobody did, for the first datagram after a join may be lost."""
    address = f"UDP4-DATAGRAM:{_GROUP}:{_PORT},range={_range(testbed)},ip-multicast-ttl=64"
    script = f"echo | socat STDIO {shlex.quote(address)}"
    for _attempt in range(_ATTEMPTS):
        done = pair.sender.run(["/bin/bash", "-c", script], 20, check=False)
        if answers := done.stdout.split():
            return answers
    return []


def _range(testbed: Testbed) -> str:
    """The pods' addresses: the first clusterNetwork of Network.config, else all."""
    found = testbed.kube.find(NETWORK) or {}
    networks = found.get("status", {}).get("clusterNetwork") or [{"cidr": "0.0.0.0/0"}]
    return str(networks[0]["cidr"])
