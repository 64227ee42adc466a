"""Every link leads somewhere: between pages, to files, to headings, and from texts in the code to pages. No network."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from provision.core.paths import ROOT
from tests.markdown import anchors, files, links, pages

# A page named in a message, a comment or a form; and a file of ours by its address on GitHub.
_PAGE = re.compile(r"(?<![\w/])(docs/[\w-]+\.md(?:#[\w-]+)?)")
_ON_GITHUB = re.compile(r"github\.com/mcastlab/mcastlab/(?:blob|tree)/main/([\w./-]*\w(?:#[\w-]+)?)")


def broken(address: str, base: Path) -> str:
    """What is wrong with a relative address that stands in a file of the folder `base`; empty if nothing is."""
    path, _, anchor = unquote(address).partition("#")
    target = (base / path).resolve()
    if not target.is_relative_to(ROOT) or not target.exists():
        return f"{address}: there is no such file"
    if anchor and anchor not in anchors(target.read_text()):
        return f"{address}: there is no such heading"
    return ""


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for address in links(text):
        if address.startswith("#"):
            assert address[1:] in anchors(text), f"{address}: there is no such heading"
        elif not re.match(r"\w+:", address):
            assert not (wrong := broken(address, page.parent)), wrong


def test_pages_and_files_that_texts_name_are_there() -> None:
    found = []
    for path in files():
        text = path.read_bytes().decode(errors="replace")
        named = [match for pattern in (_PAGE, _ON_GITHUB) for match in pattern.findall(text)]
        found += [f"{path.relative_to(ROOT)}: {wrong}" for name in named if (wrong := broken(name, ROOT))]
    assert found == []


def test_anchors_are_githubs() -> None:
    text = "# A `b` & C: d's\n\n## One\n\n## One\n\n    # code\n"
    assert anchors(text) == {"a-b--c-ds", "one", "one-1"}


@pytest.mark.parametrize(
    ("address", "wrong"),
    [
        ("nowhere.md", "no such file"),
        ("../../outside", "no such file"),
        ("hosts.md#nowhere", "no such heading"),
        ("hosts.md#what-up-does-first", ""),
        ("../tests/errors/", ""),
    ],
)
def test_what_is_broken_is_told(address: str, wrong: str) -> None:
    said = broken(address, ROOT / "docs")
    assert wrong in said if wrong else said == ""
