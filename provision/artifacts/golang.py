"""The Go that builds: this machine's own where it is new enough, else the one the module proxy serves."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from provision.artifacts.store import Item, Store, key_of
from provision.artifacts.versions import Versions
from provision.core.errors import HostError
from provision.core.packages import absence
from provision.core.run import run
from provision.core.text import Say

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_SETTINGS = ("GOVERSION", "GOARCH", "GOFLAGS")
_NO_GO = (
    "`apt-get install golang-go` (any version will do: it only fetches the right one from the Go module proxy), or"
    " install Go {version} from https://go.dev/dl/ into /usr/local/go"
)


@dataclass(frozen=True)
class Toolchain:
    """A Go: the path of its command, empty where it is still to be fetched, and what of it decides a build's result."""

    command: str
    settings: Mapping[str, str]

    @property
    def architecture(self) -> str:
        """As Go and container images name it, for instance `amd64`."""
        return self.settings["GOARCH"]


def architecture() -> str:
    """This machine's, as Go names it; raises HostError for one that nothing here was tried on."""
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        raise HostError(
            f"Machines of type '{machine}' are not supported: only {', '.join(_ARCHITECTURES)}",
            remedy="Take a machine of one of these",
        )
    return _ARCHITECTURES[machine]


def locate(versions: Versions, store: Store) -> Toolchain:
    """The Go to use, without fetching anything."""
    fetched = str(store.path(_item(versions)) / "bin" / "go")
    for command in [*_installed(), fetched]:
        settings = _settings(command, versions)
        if settings and _numbers(settings["GOVERSION"]) >= _numbers(versions.go["minimum"]):
            return Toolchain(command, settings)
    old = next(_installed(), "")
    flags = _settings(old, versions).get("GOFLAGS", "") if old else ""
    return Toolchain("", {"GOVERSION": f"go{versions.go['version']}", "GOARCH": architecture(), "GOFLAGS": flags})


def obtain(found: Toolchain, versions: Versions, store: Store, report: Say) -> str:
    """The path of a `go` that can be run; fetches the pinned toolchain where `found` has none.

    Raises HostError where there is no Go at all: whatever its age, it is the module proxy's client, and it checks
    what it fetches against sum.golang.org.
    """
    if found.command:
        return found.command
    version = versions.go["version"]
    client = next(_installed(), "")
    if not client:
        raise HostError(absence(["go"]), remedy=_NO_GO.format(version=version))

    def fetch(folder: Path) -> None:
        report(f"Go {version} is fetched from the module proxy by '{client}', which is too old to build with")
        module = f"golang.org/toolchain@v0.0.1-go{version}.linux-{architecture()}"
        done = run([client, "mod", "download", "-json", module], timeout=900, cwd=folder, env={"GOFLAGS": "-mod=mod"})
        answer = json.loads(done.stdout)
        _must_be_pinned(answer["Sum"], versions)
        run(["cp", "-r", "--no-preserve=mode", f"{answer['Dir']}/.", str(folder)], timeout=300)
        # Modules have no modes: the go command sets these when it switches toolchains (cmd/go/internal/toolchain).
        for command in [*(folder / "bin").iterdir(), *(folder / "pkg" / "tool").rglob("*")]:
            command.chmod(0o755)

    return str(store.ensure(_item(versions), fetch, report) / "bin" / "go")


def _item(versions: Versions) -> Item:
    key = key_of(version=versions.go["version"], sums=versions.go["sums"], architecture=architecture())
    return Item("go", key, f"Go {versions.go['version']}")


def _must_be_pinned(sum_: str, versions: Versions) -> None:
    pinned = versions.go["sums"][architecture()]
    if sum_ != pinned:
        raise HostError(
            f"The module proxy's Go {versions.go['version']} has the sum '{sum_}' and not '{pinned}'",
            where="bundle/versions.yml",
            remedy="Do not go on: find out who changes modules on the way (GOPROXY)",
        )


def _installed() -> Iterator[str]:
    """Every go command on this machine, the user's first."""
    places = [shutil.which("go") or "", "/usr/local/go/bin/go"]
    places += sorted((str(path) for path in Path("/usr/lib").glob("go-*/bin/go")), reverse=True)
    yield from dict.fromkeys(place for place in places if place and os.access(place, os.X_OK))


def _settings(command: str, versions: Versions) -> dict[str, str]:
    """What decides a build's result, as `command` says in a folder of bundle/, where GOTOOLCHAIN=auto takes effect."""
    if not os.access(command, os.X_OK):
        return {}
    folder = next(iter(versions.components.values())).folder
    done = run([command, "env", *_SETTINGS], timeout=600, cwd=folder, check=False)
    return dict(zip(_SETTINGS, done.stdout.splitlines(), strict=False)) if done.returncode == 0 else {}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
