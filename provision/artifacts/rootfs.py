"""Debian root file systems by mmdebstrap."""

from __future__ import annotations

import os
import re
import shlex
import tarfile
from pathlib import Path

from provision.artifacts.oci import EPOCH
from provision.artifacts.store import dies_with_us, key_of, text_digest
from provision.artifacts.versions import RootSpec
from provision.core import packages
from provision.core.errors import HostError
from provision.core.paths import ROOT
from provision.core.run import as_root, run
from provision.core.text import Say

CUSTOMIZE = ROOT / "images" / "customize"
_TIMEOUT = 1200
# Documentation, translations and character sets are most of what a container never reads; copyright files stay.
_DPKG = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/lintian/*",
    "path-exclude=/usr/lib/*/gconv/*",
)
# Makes /bin a link into /usr at once, where a package would do it later and bring 50 MB of Perl along.
_MERGED_USR = "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"
_APT = ('Acquire::Languages "none"', 'APT::Install-Recommends "false"')


def command(spec: RootSpec, suite: str, architecture: str, target: str) -> list[str]:
    """The mmdebstrap command line that writes the root file system `spec` to `target`."""
    argv = ["mmdebstrap", "--mode=root", _MERGED_USR, f"--variant={spec.variant}", f"--architectures={architecture}"]
    argv += [f"--aptopt={option}" for option in _APT] + [f"--dpkgopt={option}" for option in _DPKG]
    hook = f'{shlex.quote(str(CUSTOMIZE))} "$1"'  # mmdebstrap hands it to a shell
    return [*argv, f"--include={','.join(sorted(spec.packages))}", f"--customize-hook={hook}", suite, target]


def root_key(spec: RootSpec, suite: str, architecture: str) -> str:
    """Changes when what is asked of Debian changes; a newer package in the archive is taken at the next build."""
    argv = [word for word in command(spec, suite, architecture, "root.tar") if not word.startswith("--customize-hook")]
    return key_of(command=argv, customize=text_digest(CUSTOMIZE), epoch=EPOCH)


def make_root(spec: RootSpec, suite: str, architecture: str, target: Path, report: Say) -> None:
    """Write the root file system as a tar archive to `target`. Raises HostError or CommandError."""
    if error := packages.missing(["mmdebstrap"]):
        raise error
    report(f"Root file system '{spec.name}' is made of Debian {suite} by mmdebstrap (about 40 s)")
    scratch = target.parent / "scratch"
    scratch.mkdir()
    # TMPDIR inside of the item's own folder: what a killed run leaves is found there and removed by the next one.
    # In a mount namespace of its own, for the mounts inside of it would stay, and removing them would reach further.
    environment = ["env", f"TMPDIR={scratch}", f"SOURCE_DATE_EPOCH={EPOCH}", *dies_with_us("TERM")]
    run(
        as_root([*environment, "unshare", "--mount", *command(spec, suite, architecture, str(target))]),
        timeout=_TIMEOUT,
    )
    if os.geteuid() != 0:
        run(as_root(["chown", f"{os.getuid()}:{os.getgid()}", str(target)]), timeout=10)
    scratch.rmdir()


def read_file(archive: Path, name: str) -> bytes:
    """A file of a root file system's archive, by its path without a leading slash; raises HostError without it."""
    with tarfile.open(archive) as tar:
        try:
            stream = tar.extractfile(f"./{name}")
        except KeyError:
            stream = None
        if stream is None:
            raise HostError(f"The root file system has no file '{name}'", where=str(archive))
        return stream.read()


def package_versions(archive: Path, packages: tuple[str, ...]) -> dict[str, str]:
    """Installed version of each of `packages`, from dpkg's own records (dpkg-query(1))."""
    status = read_file(archive, "var/lib/dpkg/status").decode()
    found = dict(re.findall(r"^Package: (\S+)\n(?:.+\n)*?Version: (\S+)$", status, re.MULTILINE))
    return {name: found[name] for name in packages}
