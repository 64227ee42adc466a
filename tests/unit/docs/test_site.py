"""The pages build into a site, with every link of theirs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from provision.core.paths import ROOT
from tests.markdown import pages

BUILD = ["-m", "mkdocs", "build", "--strict", "--site-dir"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, *BUILD, folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_in_it(site: Path) -> None:
    named = {page.stem for page in pages() if page.parent == ROOT / "docs"}
    assert {page.stem for page in site.glob("*.html")} == named | {
        "index",
        "contributing",
        "reporting",
        "changelog",
        "404",
    }


def test_lists_are_lists(site: Path) -> None:
    """mkdocs' Markdown wants an empty line before one, GitHub's none."""
    inside = [page.name for page in site.glob("*.html") if re.search(r"<p>[^<]*\n(-|\d+\.) ", page.read_text())]
    assert inside == []


def test_links_out_of_the_pages_lead_to_github(site: Path) -> None:
    page = (site / "multicast-policy.html").read_text()
    assert 'href="https://github.com/mcastlab/mcastlab/blob/main/agents/multicast_policy/loader.py"' in page
    folder = (site / "configuration.html").read_text()
    assert 'href="https://github.com/mcastlab/mcastlab/tree/main/tests/errors"' in folder


def test_the_readme_is_the_front_page_and_leads_to_pages(site: Path) -> None:
    page = (site / "index.html").read_text()
    assert 'href="checks.html"' in page
    assert "docs/checks.html" not in page
