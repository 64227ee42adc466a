"""Go modules: every binary is built here, from the module proxy."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from provision.artifacts import golang
from provision.artifacts.golang import Toolchain
from provision.artifacts.store import Item, Store, dies_with_us, key_of, text_digest
from provision.artifacts.versions import Component, Versions
from provision.core.errors import HostError
from provision.core.run import run
from provision.core.text import Say

_FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false")
_BUILD_SECONDS = 3600
_INPUTS = ("go.mod", "go.sum", "tools.go")


@dataclass(frozen=True)
class GoModules:
    """Builds with the Go of this machine, or the one that the module proxy serves."""

    versions: Versions
    store: Store
    name: str = "go-modules"

    @cached_property
    def toolchain(self) -> Toolchain:
        return golang.locate(self.versions, self.store)

    def refusal(self) -> str:
        return ""

    def item(self, component: Component) -> Item:
        # `seconds` is for people and changes nothing that is built.
        entry = {name: value for name, value in component.entry.items() if name != "seconds"}
        files = {name: text_digest(component.folder / name) for name in _INPUTS}
        key = key_of(entry=entry, files=files, flags=_FLAGS, go=dict(self.toolchain.settings))
        return Item(component.name, key, component.label)

    def fetch(self, component: Component, folder: Path, report: Say) -> None:
        go = golang.obtain(self.toolchain, self.versions, self.store, report)
        report(f"{component.label} is built from Go modules ({_about(component.seconds)})")
        argv = [*dies_with_us("KILL"), go, "build", *_FLAGS, "-ldflags", component.ldflags, "-o", f"{folder}/"]
        environment = {"CGO_ENABLED": "0"}
        run([*argv, *component.packages], timeout=_BUILD_SECONDS, cwd=component.folder, env=environment)
        for built, wanted in component.rename.items():
            (folder / built).rename(folder / wanted)
        if len(list(folder.iterdir())) != len(component.packages):
            raise HostError(
                f"'{component.label}' has not one binary for each command of its tools.go", where=str(folder)
            )


def _about(seconds: int) -> str:
    """How long a cold build takes, in words."""
    cores = os.cpu_count() or 1
    scaled = seconds * 2 / cores
    return f"about {scaled:.0f} s on {cores} cores" if scaled < 90 else f"about {scaled / 60:.0f} min on {cores} cores"
