"""hello: the plain sender and receiver, 239.1.1.1:5005; the node sends as well where the group is declared for it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from provision.checks.result import Figure, Outcome, failed, passed
from provision.core.paths import ROOT
from provision.traffic.namespaces import Space
from provision.traffic.places import Place, PodPlace
from provision.traffic.testbed import BRIDGE, Testbed

GROUP = "239.1.1.1"
_WORDS = "b'Hello Multicast!'"
_SENT, _WANTED = 6, 3
_RED = Space("red", multicast=True)
_PLACES = {"receiver": (_RED, "red1"), "sender": (_RED, "red2"), "outsider": (Space("blue", multicast=True), "blue1")}
_SECONDS = 30.0


def run(testbed: Testbed) -> Outcome:
    with ThreadPoolExecutor(len(_PLACES)) as starting:
        futures = {role: starting.submit(testbed.spaces.place, *place) for role, place in _PLACES.items()}
        places = {role: future.result() for role, future in futures.items()}
    problem, heard = _one(testbed, places, places["sender"], ["--count", str(_SENT)])
    figures = [Figure("received", heard, "datagrams")]
    if problem:
        return failed(problem, *figures)
    groups = () if testbed.foreign else testbed.lab.multicast.node_groups
    if GROUP not in {str(group) for group in groups}:
        return passed(
            f"{heard} of {_SENT} greetings of a pod to {GROUP}:5005 were received, and none in another namespace",
            *figures,
        )
    problem, from_node = _one(testbed, places, testbed.node(), ["--count", str(_SENT), "--interface", BRIDGE])
    figures.append(Figure("received_from_node", from_node, "datagrams"))
    if problem:
        return failed(f"Of what the node sent: {problem}", *figures)
    return passed(
        f"{heard} of {_SENT} greetings of a pod to {GROUP}:5005 were received, {from_node} of the node, none elsewhere",
        *figures,
    )


def _one(testbed: Testbed, places: dict[str, PodPlace], sender: Place, options: Sequence[str]) -> tuple[str, int]:
    """(what is wrong, how many greetings arrived) of one sender; the outsider has joined as well.

    A group that is declared for nodes reaches every enabled namespace: then the outsider must hear the node too.
    """
    from_node = not isinstance(sender, PodPlace)
    with ThreadPoolExecutor(3) as running:
        receiving = running.submit(_receive, testbed, places["receiver"])
        outside = running.submit(_receive, testbed, places["outsider"])
        sent = sender.run([*_program(testbed, "hello-send", here=from_node), *options], _SECONDS, check=False)
        heard, foreign = receiving.result(), outside.result()
    if "Sending multicast..." not in sent.stdout or sent.returncode != 0:
        return f"The sender, {sender.label}, did not send: {sent.stderr.strip() or sent.stdout.strip()}", heard
    if heard < _WANTED:
        return f"The receiver, {places['receiver'].label}, received {heard} of {_SENT} greetings", heard
    if from_node and foreign < _WANTED:
        return (
            f"The outsider, {places['outsider'].label} of another enabled namespace, received {foreign} of {_SENT}"
            " greetings",
            heard,
        )
    if foreign and not from_node:
        return f"The outsider, {places['outsider'].label} of another namespace, received {foreign} greetings", heard
    return "", heard


def _receive(testbed: Testbed, place: PodPlace) -> int:
    """How many greetings came until none did for a while."""
    argv = [*_program(testbed, "hello-receive"), "--count", str(_SENT), "--seconds", "4"]
    return place.run(argv, _SECONDS, check=False).stdout.count(_WORDS)


def _program(testbed: Testbed, name: str, *, here: bool = False) -> list[str]:
    """The program of the tools image; its text where another image, or no image, is there."""
    if not testbed.foreign and not here:
        return [name]
    source = (ROOT / "agents" / "hello" / f"{name}.py").read_text(encoding="utf-8")
    return ["python3", "-I", "-S", "-c", source]
