"""The cache: folders made once for a key of their inputs, whole or absent, by one process at a time."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provision.core.errors import HostError
from provision.core.files import read_whole
from provision.core.hints import making
from provision.core.lock import locked
from provision.core.paths import cache_dir
from provision.core.run import as_root, run
from provision.core.text import Say

MANIFEST = "manifest.json"
_DIGITS = 16
_WAIT_SECONDS = 3600.0


def key_of(**inputs: Any) -> str:
    """A digest that changes when and only when an input does; inputs are what JSON can hold."""
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def text_digest(path: Path) -> str:
    """SHA-256 of a small file, for keys."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Item:
    """Something to make: `name` says what, `key` from which inputs, `label` is for people, `folder` groups it."""

    name: str
    key: str
    label: str
    folder: str = "parts"


@dataclass(frozen=True)
class Store:
    """Items below `home`; each is a folder with a manifest of its files."""

    home: Path
    wait_seconds: float = _WAIT_SECONDS

    @classmethod
    def of_user(cls) -> Store:
        return cls(cache_dir())

    def path(self, item: Item) -> Path:
        """Where the item is, or will be."""
        return self.home / item.folder / (item.key if item.folder == "bundles" else f"{item.name}-{item.key}")

    def has(self, item: Item) -> bool:
        """Whether the item is there and each of its files has the size and time that it was made with."""
        return not damage(self.path(item))

    def ensure(self, item: Item, make: Callable[[Path], None], report: Say) -> Path:
        """The item's folder; `make` fills a temporary one first where it is missing or damaged.

        Raises HostError when it cannot be made, and WaitError when another process holds the item for too long.
        """
        if self.has(item):
            return self.path(item)
        with making(f"'{item.label}'"), locked(self._lock_file(item), item.label, report, self.wait_seconds):
            if not self.has(item):  # else the process that was waited for has made it
                self._make(item, make, report)
        return self.path(item)

    def _lock_file(self, item: Item) -> Path:
        return self.home / "locks" / f"{item.name}.lock"

    def _make(self, item: Item, make: Callable[[Path], None], report: Say) -> None:
        started = time.monotonic()
        for stale in (self.home / "tmp").glob(f"{item.name}.*"):
            _remove(stale)  # of a process that was killed: nobody else can hold this item's lock
        temporary = self.home / "tmp" / f"{item.name}.{os.getpid()}"
        temporary.mkdir(parents=True)
        path = self.path(item)
        try:
            make(temporary)
            _write_manifest(temporary)
            if path.exists():
                report(f"{item.label}: damaged in the cache ({damage(path)}), replaced")
                path.rename(self.home / "tmp" / f"{item.name}.damaged")
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.rename(path)
        finally:
            _remove(temporary)
            _remove(self.home / "tmp" / f"{item.name}.damaged")
        report(f"{item.label}: made in {time.monotonic() - started:.0f} s")


def damage(path: Path) -> str:
    """What is wrong with an item's folder by the sizes and times of its files; empty when nothing is."""
    try:
        manifest = json.loads(read_whole(path / MANIFEST, "make the item anew"))
    except (FileNotFoundError, HostError, ValueError, RecursionError):
        return "no manifest"
    if not isinstance(manifest, dict) or not all(isinstance(expected, list) for expected in manifest.values()):
        return "no manifest"
    for name, expected in manifest.items():
        try:
            found = (path / name).stat()
        except OSError:
            return f"'{name}' is missing"
        if [found.st_size, found.st_mtime_ns] != expected[:2]:
            return f"'{name}' has changed"
    return ""


def verify(path: Path) -> str:
    """As `damage`, but by reading every file and comparing its SHA-256: seconds instead of milliseconds."""
    if found := damage(path):
        return found
    for name, (_, _, digest) in json.loads((path / MANIFEST).read_text()).items():
        if file_digest(path / name) != digest:
            return f"'{name}' is not what was made: its SHA-256 differs"
    return ""


def file_digest(path: Path) -> str:
    """SHA-256 of a file of any size."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write_manifest(folder: Path) -> None:
    """Record size, time and SHA-256 of each file, once its content is on the disk: a power cut must not outlive it."""
    manifest = {}
    for path in sorted(file for file in folder.rglob("*") if file.is_file()):
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
        found = path.stat()
        manifest[str(path.relative_to(folder))] = [found.st_size, found.st_mtime_ns, file_digest(path)]
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1))


def dies_with_us(signal: str) -> list[str]:
    """A prefix for commands that ends them with `signal` when mcastlab is killed: they would go on for minutes."""
    return ["setpriv", "--pdeathsig", signal] if shutil.which("setpriv") else []


def _remove(path: Path) -> None:
    """Remove a folder, across no mount; as root where mmdebstrap left a half-made root file system in it."""
    argv = ["rm", "-rf", "--one-file-system", str(path)]
    if path.exists() and run(argv, timeout=120, check=False).returncode != 0:
        run(as_root(argv), timeout=120)
