"""What `mcastlab load` does: read all that was named, then put it on every node, then say how a pod uses it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial

from provision.config import Lab
from provision.core import tables
from provision.core.errors import InputError
from provision.core.lock import lab_lock
from provision.core.progress import Progress, console
from provision.core.text import named
from provision.hosts.remote import Remotes
from provision.load import names
from provision.load.node import NodeImages
from provision.load.wanted import Wanted, read
from provision.pipeline.run import Run


@dataclass(frozen=True)
class Placed:
    """What became of an image on a node: `change` is loaded, or unchanged as it was there already."""

    node: str
    image: str
    id: str
    change: str


def load(run: Run, given: Sequence[str], called: str, *, as_json: bool) -> None:
    """Put the images onto every node; nothing is changed unless all of them can be read.

    `called` takes the place of the name in the archive. Raises InputError for what is no image for this lab, and
    HostError where the lab is not up or a node does not take it.
    """
    run.find()
    progress = run.progress
    with ExitStack() as scratch:
        with progress.stage("images") as line:
            wanted = [item for name in given for item in read(name, called, scratch, progress)]
            line.summary = named(name for item in wanted for name in item.names)
        with lab_lock(run.directory, run.lab.name, "load"), Remotes(run.machines) as remotes:
            nodes = {name: NodeImages(remotes.get(name)) for name in _nodes(run.lab)}
            missing = {name: [item for item in wanted if not _there(node, item)] for name, node in nodes.items()}
            _refuse_the_labs_own([item for items in missing.values() for item in items])
            placed = [row for name in nodes for row in _place(name, nodes[name], wanted, missing[name], progress)]
    _tell(placed, progress, as_json=as_json)


def show(run: Run, *, as_json: bool) -> None:
    """Print the images of every node."""
    run.find()
    with Remotes(run.machines) as remotes:
        found = {name: NodeImages(remotes.get(name)).listing() for name in _nodes(run.lab)}
    if as_json:
        nodes = [{"name": node, "images": [asdict(row) for row in images]} for node, images in found.items()]
        print(json.dumps({"nodes": nodes}, indent=2))
        return
    rows = [
        (node, row.name, row.size, "whole" if row.whole else "parts are missing")
        for node, images in found.items()
        for row in images
    ]
    console().print(tables.table(("node", "image", "size", "state"), rows))


def _nodes(lab: Lab) -> list[str]:
    return [host.name for host in lab.hosts if host.role != "source"]


def _there(node: NodeImages, item: Wanted) -> bool:
    return all(node.has(name, item.config) for name in item.names)


def _refuse_the_labs_own(missing: Sequence[Wanted]) -> None:
    for item in missing:
        for name in item.names:
            if name.startswith(names.OWN):
                raise InputError(
                    f"'{name}' is a name that the lab keeps for its own images",
                    where=item.source.called,
                    remedy="Give it another: --as NAME",
                )


def _place(
    name: str, node: NodeImages, wanted: Sequence[Wanted], missing: Sequence[Wanted], progress: Progress
) -> list[Placed]:
    with progress.stage(name) as line:
        for item in missing:
            node.take(partial(item.send, progress))
        there = len(wanted) - len(missing)
        loaded = f"{len(missing)} loaded ({sum(item.size for item in missing):.1f} MB)" if missing else ""
        already = f"{there} {'was' if there == 1 else 'were'} there already" if there else ""
        line.summary = ", ".join(filter(None, (loaded, already)))
    return [
        Placed(name, image, f"sha256:{item.config}", "loaded" if item in missing else "unchanged")
        for item in wanted
        for image in item.names
    ]


def _tell(placed: Sequence[Placed], progress: Progress, *, as_json: bool) -> None:
    """What a pod calls each image, and how it is kept from pulling it."""
    if as_json:
        print(json.dumps({"images": [asdict(row) for row in placed]}, indent=2))
        return
    for image in dict.fromkeys(row.image for row in placed):
        progress.say(f"A pod uses it as\n  image: {image}\n  {names.pull_advice(image)}")
