"""The Markdown of the repository as GitHub shows it: its links and its anchors."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from provision.core.paths import ROOT


@cache
def files() -> tuple[Path, ...]:
    """What is in the repository, or about to be; without files that are gone."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return tuple(path for path in (ROOT / name for name in listed.stdout.splitlines()) if path.is_file())


def pages() -> list[Path]:
    return [path for path in files() if path.suffix == ".md"]


def links(text: str) -> list[str]:
    """The addresses of links and images, in order."""
    inner = [child for token in _tokens(text) for child in token.children or ()]
    found = [token.attrGet("href") or token.attrGet("src") for token in inner if token.type in ("link_open", "image")]
    return [str(address) for address in found]


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives headings: small letters, digits and hyphens, numbered where they repeat."""
    tokens = _tokens(text)
    made: list[str] = []
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            title = "".join(child.content for child in inline.children or ())
            made.append(re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-"))
    return {anchor if not before else f"{anchor}-{before}" for anchor, before in _numbered(made)}


def _numbered(names: list[str]) -> list[tuple[str, int]]:
    """Each name with how often it stood before."""
    return [(name, names[:place].count(name)) for place, name in enumerate(names)]


@cache
def _tokens(text: str) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(text)
