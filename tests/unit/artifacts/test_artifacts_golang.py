"""Which Go builds: this machine's own where it is new enough, else the one the module proxy serves."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from provision.artifacts import golang
from provision.artifacts.store import Store
from provision.artifacts.versions import Versions, load_versions
from provision.core.errors import HostError

GOOD_SUM = "h1:good="


def fake_go(path: Path, version: str, module: Path | None = None, sum_: str = GOOD_SUM) -> Path:
    """A `go` that knows `env` and, with a `module`, `mod download`."""
    answer = json.dumps({"Dir": str(module), "Sum": sum_})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"#!/bin/sh\ncase $1 in env) printf '{version}\\namd64\\n\\n' ;; mod) echo '{answer}' ;; *) exit 9 ;; esac\n"
    )
    path.chmod(0o755)
    return path


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> Versions:
    monkeypatch.setattr(golang, "architecture", lambda: "amd64")
    real = load_versions()
    return replace(real, go={"minimum": "1.26.0", "version": "1.26.9", "sums": {"amd64": GOOD_SUM}})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def installed(monkeypatch: pytest.MonkeyPatch, *commands: Path) -> None:
    monkeypatch.setattr(golang, "_installed", lambda: iter([str(command) for command in commands]))


def module(tmp_path: Path) -> Path:
    """The toolchain as the module proxy serves it: read-only, and nothing in it can be run."""
    folder = tmp_path / "module"
    go = fake_go(folder / "bin" / "go", "go1.26.9")
    tool = folder / "pkg" / "tool" / "linux_amd64" / "compile"
    tool.parent.mkdir(parents=True)
    tool.write_text("compile")
    for path in (go, tool):
        path.chmod(0o444)
    (folder / "bin").chmod(0o555)
    return folder


def test_the_first_go_that_is_new_enough_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, versions: Versions, store: Store
) -> None:
    old, new = fake_go(tmp_path / "old", "go1.25.9"), fake_go(tmp_path / "new", "go1.26.0")
    installed(monkeypatch, old, new)
    found = golang.locate(versions, store)
    assert (found.command, found.settings["GOVERSION"], found.architecture) == (str(new), "go1.26.0", "amd64")


def test_an_old_go_fetches_the_right_one_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, versions: Versions, store: Store
) -> None:
    installed(monkeypatch, fake_go(tmp_path / "old", "go1.19.8", module(tmp_path)))
    before = golang.locate(versions, store)
    assert (before.command, before.settings["GOVERSION"]) == ("", "go1.26.9")
    command = golang.obtain(before, versions, store, lambda line: None)
    after = golang.locate(versions, store)
    assert after.command == command
    assert after.settings == before.settings  # the keys of what is built do not depend on when it was fetched


def test_a_toolchain_with_another_sum_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, versions: Versions, store: Store
) -> None:
    installed(monkeypatch, fake_go(tmp_path / "old", "go1.19.8", module(tmp_path), sum_="h1:bad="))
    with pytest.raises(HostError, match="has the sum 'h1:bad=' and not 'h1:good='"):
        golang.obtain(golang.locate(versions, store), versions, store, lambda line: None)


def test_no_go_at_all_is_an_error_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, versions: Versions, store: Store
) -> None:
    installed(monkeypatch)
    with pytest.raises(HostError) as caught:
        golang.obtain(golang.locate(versions, store), versions, store, lambda line: None)
    assert str(caught.value) == (
        "Command 'go' is missing\n  remedy: `apt-get install golang-go` (any version will do: it only fetches"
        " the right one from the Go module proxy), or install Go 1.26.9 from https://go.dev/dl/ into /usr/local/go"
    )
