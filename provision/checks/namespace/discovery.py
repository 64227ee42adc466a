"""discovery: peers find each other by multicast, a third is found, and is marked dead when it is gone, in time."""

from __future__ import annotations

from provision.checks.result import Figure, Outcome, failed, not_applicable, passed
from provision.core.errors import WaitError
from provision.core.text import named
from provision.demo.peers import Demo, Sight, unseen
from provision.demo.story import Chapter, Story
from provision.traffic.namespaces import Space
from provision.traffic.testbed import Testbed

_FIGURES = ("found_after", "joined_after", "dead_after")


def run(testbed: Testbed) -> Outcome:
    """Two instances in another enabled namespace run all the time: they see each other, and nobody of the first one."""
    if not testbed.discovery_image:
        return not_applicable("The demo's image is not known to this cluster")
    demo = Demo(testbed.kube, testbed.spaces.namespace(Space("red", multicast=True)), testbed.discovery_image)
    other = Demo(testbed.kube, testbed.spaces.namespace(Space("blue", multicast=True)), testbed.discovery_image)
    other.deploy("foreign")
    other.scale("foreign", 2)
    foreign = other.wait(2)
    crossed: set[str] = set()

    def show(sights: list[Sight]) -> None:
        crossed.update(sight.name for sight in sights if set(foreign) & set(sight.peers))

    chapters: list[Chapter] = []
    try:
        Story(demo, show).tell(chapters.append)
    except WaitError as error:
        return failed(error.problem, *_figures(chapters), evidence=(error.detail,))
    outside = other.sights()
    if problems := unseen(outside, foreign):
        return failed(f"In the other namespace: {'; '.join(problems)}", *_figures(chapters))
    if heard := crossed | {name for sight in outside for name in sight.peers if name not in foreign}:
        return failed(f"Instances of two namespaces have heard each other: {named(sorted(heard))}", *_figures(chapters))
    return passed(
        "Two found each other and a third, and marked it dead when it was gone; nobody heard another namespace",
        *_figures(chapters),
    )


def _figures(chapters: list[Chapter]) -> tuple[Figure, ...]:
    pairs = zip(_FIGURES, chapters, strict=False)
    return tuple(Figure(name, round(chapter.seconds, 1), "s") for name, chapter in pairs)
