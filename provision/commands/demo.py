"""`mcastlab demo discovery`: deploy it, tell its story live, and remove it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import RenderableType
from rich.live import Live
from rich.text import Text

from provision import multicast
from provision.cluster.api import Kube
from provision.core import tables
from provision.core.progress import console
from provision.core.text import visible
from provision.core.wait import Deadline, NotYet, until
from provision.demo.peers import PORT, Demo, Sight
from provision.demo.story import Chapter, Story
from provision.multicast.annotations import namespace_path

_GONE_SECONDS = 60.0


def discover(kube: Kube, image: str, namespace: str, *, watch: bool) -> None:
    """Tell the story in `namespace`, which is made, and removed at the end, if it is not there.

    With `watch` the table stays until Ctrl-C.
    """
    found = multicast.detect(kube)
    found.needed()
    with _namespace(kube, namespace) as made, _Board() as board:
        demo = Demo(kube, namespace, image)
        try:
            multicast.enable(kube, found, [namespace])
            Story(demo, board.show).tell(lambda chapter: board.say(_line(chapter)))
            if watch:
                board.say(
                    f"Its page: `kubectl -n {namespace} port-forward deployment/first {PORT}`, then http://localhost:{PORT}/"
                )
                board.say(f"Scale it: `kubectl -n {namespace} scale deployment second --replicas=3`")
                board.say("Ctrl-C ends and removes it")
                _watch(demo, board)
        finally:
            for name in ("first", "second"):
                demo.remove(name)
            if not made:
                board.say(f"Namespace '{namespace}' was there before, and stays enabled")


def _watch(demo: Demo, board: _Board) -> None:
    while True:
        board.show(demo.sights())
        time.sleep(1)


@contextmanager
def _namespace(kube: Kube, name: str) -> Iterator[bool]:
    """The namespace; whether it was made for this, and is removed in the end."""
    made = kube.find(namespace_path(name)) is None
    if made:
        labels = {"app.kubernetes.io/part-of": "mcastlab"}
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    try:
        yield made
    finally:
        if made:
            kube.delete(namespace_path(name))
            until(f"namespace '{name}' to be gone", lambda: _gone(kube, name), Deadline.after(_GONE_SECONDS))


def _gone(kube: Kube, name: str) -> bool | NotYet:
    return NotYet("it is being deleted") if kube.find(namespace_path(name)) else True


class _Board:
    """A live table on a terminal; elsewhere a line whenever somebody sees something new."""

    def __init__(self) -> None:
        self._console = console()
        self._live = Live(console=self._console, transient=True, refresh_per_second=4)
        self._before: dict[tuple[str, str], bool] = {}

    def __enter__(self) -> _Board:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def say(self, line: str) -> None:
        self._console.print(Text(visible(line)), soft_wrap=True)

    def show(self, sights: Sequence[Sight]) -> None:
        if self._console.is_terminal:
            self._live.update(table(sights))
            return
        now = {(sight.name, peer.name): peer.alive for sight in sights for peer in sight.peers.values()}
        for (name, other), alive in now.items():
            if self._before.get((name, other)) != alive:
                self.say(f"  {name} sees {other} {'alive' if alive else 'dead'}")
        self._before |= now


def table(sights: Sequence[Sight]) -> RenderableType:
    """Who sees whom: a row for each instance, a column for each that anybody has heard of."""
    names = sorted({sight.name for sight in sights} | {name for sight in sights for name in sight.peers})
    rows = [(sight.name, *(_cell(sight, name) for name in names)) for sight in sights]
    return tables.table(("instance", *names), rows, title="who sees whom")


def _cell(sight: Sight, name: str) -> Text:
    if name == sight.name:
        return Text("·", style="dim")
    peer = sight.peers.get(name)
    if peer is None:
        return Text("-", style="dim")
    return Text(f"alive {peer.age:.0f} s", style="green") if peer.alive else Text(f"dead {peer.age:.0f} s", style="red")


def _line(chapter: Chapter) -> str:
    return f"✓ {chapter.title}: after {chapter.seconds:.1f} s (within {chapter.allowed:.0f} s is expected)"
