"""A layer with a package of agents/ and the locked packages it needs, as Debian's Python finds them."""

from __future__ import annotations

import compileall
import py_compile
import shutil
import sys
import tarfile
from pathlib import Path

from provision.artifacts.oci import EPOCH
from provision.artifacts.store import key_of, text_digest
from provision.artifacts.versions import PythonSpec
from provision.core.paths import ROOT
from provision.core.run import run
from provision.core.text import Say

_TIMEOUT = 600
_PYTHON = "3.11"  # of the Debian that the root file systems are
_PLACE = f"usr/local/lib/python{_PYTHON}/dist-packages"
_PLATFORMS = {"amd64": "x86_64-manylinux_2_28", "arm64": "aarch64-manylinux_2_28"}
_NEVER = ("bin", "**/tests", "**/*.pyi")


def layer_key(spec: PythonSpec, architecture: str) -> str:
    """Changes with the package's sources, with what is locked, and with what is left out."""
    sources = {path.name: text_digest(path) for path in _sources(spec)}
    scripts = [text_digest(Path(__file__)), sys.implementation.cache_tag, EPOCH]
    return key_of(spec=repr(spec), sources=sources, locked=text_digest(_locked(spec)), arch=architecture, by=scripts)


def make_layer(spec: PythonSpec, architecture: str, target: Path, report: Say) -> None:
    """Write the layer as a tar archive to `target`; the same inputs give the same bytes. Raises CommandError."""
    report(f"The Python packages of {spec.package} are installed ({_locked(spec).name}, checked by hash)")
    folder = target.parent / "packages"
    argv = [
        str(Path(sys.executable).parent / "uv"), "pip", "install", "--quiet", "--target", str(folder), "--no-deps",
        "--only-binary=:all:", "--require-hashes", f"--python-version={_PYTHON}",
        f"--python-platform={_PLATFORMS[architecture]}", f"--python={sys.executable}",
        f"--requirements={_locked(spec)}",
    ]  # fmt: skip
    run(argv, timeout=_TIMEOUT)
    for pattern in (*_NEVER, *spec.without):
        for path in sorted(folder.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    package = folder / Path(spec.package).name
    package.mkdir()
    for path in _sources(spec):
        shutil.copy(path, package)
    # Containers cannot write: without bytecode every start would compile all of it.
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(
        folder, quiet=2, invalidation_mode=unchecked, stripdir=str(folder), prependdir=f"/{_PLACE}", workers=1
    )
    _archive(folder, target)
    shutil.rmtree(folder)


def _archive(folder: Path, target: Path) -> None:
    """All files of `folder` as root's at their place, in order, with one time for all."""
    parents = [Path(*Path(_PLACE).parts[:count]) for count in range(1, len(Path(_PLACE).parts) + 1)]
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        for parent in parents:
            tar.addfile(_plain(tarfile.TarInfo(str(parent)), folder=True))
        for path in sorted(folder.rglob("*")):
            info = tarfile.TarInfo(f"{_PLACE}/{path.relative_to(folder)}")
            if path.is_dir():
                tar.addfile(_plain(info, folder=True))
                continue
            info.size = path.stat().st_size
            with path.open("rb") as stream:
                tar.addfile(_plain(info), stream)


def _plain(info: tarfile.TarInfo, *, folder: bool = False) -> tarfile.TarInfo:
    info.mtime, info.mode = EPOCH, 0o755 if folder else 0o644
    info.type = tarfile.DIRTYPE if folder else tarfile.REGTYPE
    return info


def _sources(spec: PythonSpec) -> list[Path]:
    return sorted((ROOT / spec.package).glob("*.py"))


def _locked(spec: PythonSpec) -> Path:
    return ROOT / spec.requirements
