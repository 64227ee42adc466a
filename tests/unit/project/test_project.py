"""What stands around the code agrees with it: version, licence, types."""

from __future__ import annotations

import hashlib
import re
import tomllib
from typing import Any

import yaml

from provision import __version__
from provision.core.paths import ROOT

HOLDER = "Copyright 2026 The mcastlab authors"
# Of https://www.apache.org/licenses/LICENSE-2.0.txt, whose last lines leave the holder open.
APACHE_2 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def galaxy() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "galaxy.yml").read_text())
    return read


def test_the_version_stands_in_the_package_alone() -> None:
    read = pyproject()
    assert read["project"]["dynamic"] == ["version"]
    assert read["tool"]["hatch"]["version"] == {"path": "provision/__init__.py"}
    assert galaxy()["version"] == __version__


def test_the_changelog_goes_by_version_from_this_one_down() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    versions = [re.fullmatch(r"(\d+\.\d+\.\d+)(, .+)?", heading)[1] for heading in headings]  # type: ignore[index]
    assert versions[0] == __version__
    assert versions == sorted(set(versions), key=lambda version: [*map(int, version.split("."))], reverse=True)


def test_the_licence_is_apaches_own_text_and_named_everywhere() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert text.count(HOLDER) == 1
    unfilled = text.replace(HOLDER, "Copyright [yyyy] [name of copyright owner]")
    assert hashlib.sha256(unfilled.encode()).hexdigest() == APACHE_2
    assert pyproject()["project"]["license"] == "Apache-2.0"
    assert galaxy()["license"] == ["Apache-2.0"]


def test_the_package_says_that_it_has_types() -> None:
    assert (ROOT / "provision" / "py.typed").exists()


def test_one_repository_is_named() -> None:
    repository = galaxy()["repository"]
    assert all(url.startswith(repository) for url in pyproject()["project"]["urls"].values())
