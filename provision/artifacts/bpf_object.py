"""The programs of multicast-policy that the kernel runs, compiled to one object for eBPF."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

from provision.artifacts.store import Item, Store, file_digest, key_of, text_digest
from provision.core import packages
from provision.core.errors import HostError
from provision.core.paths import ROOT
from provision.core.run import run
from provision.core.text import Say

SOURCE = ROOT / "agents" / "multicast_policy" / "ebpf" / "policy.c"
OBJECT = "policy.o"
RECORD = "policy.json"
_HEADER = Path("/usr/include/linux/bpf.h")
_FLAGS = ("-O2", "-Wall", "-Werror", "-target", "bpf", "-mcpu=v3")
# Debian's folder of headers that differ by architecture, which clang does not search for this target.
_MULTIARCH = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
_TIMEOUT = 120


def item(architecture: str, source: Path = SOURCE) -> Item:
    """Changes with what is compiled and how; bundle.json records the compiler, as it does Debian's packages.

    So nothing here asks for a compiler, and what is cached needs none.
    """
    sources = {path.name: text_digest(path) for path in source.parent.glob("*.[ch]")}
    key = key_of(sources=sources, flags=_flags(architecture), script=text_digest(Path(__file__)))
    return Item("policy-programs", key, "Policy programs")


def ensure(architecture: str, store: Store, report: Say) -> Path:
    """A folder with policy.o and policy.json ({"sha256", "compiler"}), from the cache or made now.

    Raises HostError or CommandError.
    """
    return store.ensure(item(architecture), lambda folder: make_object(folder, architecture, report), report)


def make_object(folder: Path, architecture: str, report: Say, source: Path = SOURCE) -> None:
    """Compile `source` into `folder`; one compiler gives the same bytes wherever the source is.

    Raises HostError where the compiler or the kernel's headers are missing, CommandError for what does not compile.
    """
    clang = _compiler()
    if not _HEADER.exists():
        raise HostError(f"File '{_HEADER}' is missing", remedy=packages.apt_get(["linux-libc-dev"]))
    compiler = run([clang, "--version"], timeout=_TIMEOUT).stdout.partition("\n")[0].strip()
    report(f"The policy programs are compiled by {compiler}")
    # In the source's folder and by its name alone: the object keeps the name as it was given.
    argv = [clang, *_flags(architecture), "-c", source.name, "-o", str(folder / OBJECT)]
    run(argv, timeout=_TIMEOUT, cwd=source.parent)
    record = {"sha256": file_digest(folder / OBJECT), "compiler": compiler}
    (folder / RECORD).write_text(json.dumps(record, indent=2, sort_keys=True))


def _flags(architecture: str) -> list[str]:
    return [*_FLAGS, f"-I/usr/include/{_MULTIARCH[architecture]}"]


def _compiler() -> str:
    """Path of `clang`, else of the newest `clang-N`: Debian's clang-14 alone brings no other name."""
    if found := shutil.which("clang"):
        return found
    names = {path.name for folder in os.get_exec_path() for path in Path(folder).glob("clang-*")}
    numbered = sorted((name for name in names if re.fullmatch(r"clang-\d+", name)), key=_number, reverse=True)
    if found := next(filter(None, map(shutil.which, numbered)), None):
        return found
    raise packages.lacking(["clang"])


def _number(name: str) -> int:
    return int(name.rpartition("-")[2])
