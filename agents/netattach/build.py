"""Build the plug-in as one file: an executable zip with a `#!` line, the same bytes for the same sources.

    python3 agents/netattach/build.py      # prints the path of the file

One file, because the node then has either the old plug-in or the new one, and because each file that Ansible copies
costs half a second. It holds bytecode for this interpreter beside the sources; a node with another Python uses the
sources. Run by role netattach on the controller.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
# What stays on the controller.
_NOT_ON_NODES = ("admission.py", "build.py", "patterns.py")
# -I: nothing of the caller's environment; -S: no site packages, which halves the start-up time.
SHEBANG = b"#!/usr/bin/python3 -IS\n"
# Without the interpreter's own end, which takes 4 ms and has nothing to save.
MAIN = b"""\
import os
import sys

from netattach.main import main

status = main()
sys.stdout.flush()
sys.stderr.flush()
os._exit(status)
"""
_STAMP = (1980, 1, 1, 0, 0, 0)  # the first moment a zip can express


def sources() -> dict[str, bytes]:
    """Path in the archive to source: every module that a node runs."""
    paths = [path for path in sorted(HERE.glob("*.py")) if path.name not in _NOT_ON_NODES]
    found = {f"netattach/{path.name}": path.read_bytes() for path in paths}
    return {**found, "__main__.py": MAIN}


def _bytecode(name: str, source: bytes) -> bytes:
    """An unchecked hash-based .pyc (PEP 552): valid whatever the time stamps are."""
    from marshal import dumps

    code = compile(source, f"/opt/cni/bin/netattach/{name}", "exec", dont_inherit=True, optimize=0)
    flags = (1).to_bytes(4, "little")
    return importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(source) + dumps(code)


def write(target: Path, content: dict[str, bytes]) -> None:
    """Write the executable to `target`: each module with its bytecode. It appears whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
        file.write(SHEBANG)
        with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
            for name, source in sorted(content.items()):
                archive.writestr(zipfile.ZipInfo(name, _STAMP), source)
                archive.writestr(zipfile.ZipInfo(f"{name}c", _STAMP), _bytecode(name, source))
    temporary = Path(file.name)
    temporary.chmod(0o755)
    temporary.replace(target)


def build(folder: Path) -> Path:
    """The built file under `folder`, in a folder named by the digest of sources and interpreter; made if missing."""
    content = sources()
    inputs = (importlib.util.MAGIC_NUMBER, SHEBANG, sorted(content.items()))
    digest = hashlib.sha256(repr(inputs).encode()).hexdigest()[:16]
    target = folder / digest / "netattach"
    if not target.exists():
        write(target, content)
    return target


def cache_folder() -> Path:
    """Where builds are kept; the same rule as provision/core/paths.py."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("MCASTLAB_CACHE") or Path(base) / "mcastlab") / "netattach"


if __name__ == "__main__":
    sys.stdout.write(f"{build(cache_folder())}\n")
