"""Loads the policy's programs, pins them, and gives them to the bridge: run by the node's unit before kubelet.

    python3 -m multicast_policy.loader OBJECT      load it, or keep it where it is loaded already

Environment: BRIDGE (default cni0), SHA256 (of the object, in hex; any if empty). Where the kernel refuses, the exit
code is 0 all the same and the reason stands in the file `refused`: pods start without the policy, and the agent reports
it. What was loaded before stays until all of the new is there and was tried, and goes on where the new is refused
(`older`). Standard library only.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

from . import bpf, elf, files, hooks
from .hooks import FOLDER, KIND, KINDS, OLDER, PINS, REFUSED

OBJECT = "policy.o"  # beside the records: what the agent loads again when the pins are lost
_FOLDER, _CURRENT = Path(FOLDER), Path(PINS)
_ROOT, _SECONDS = _CURRENT.parent, 20
_REASON = 400  # characters; the verifier can say more than anybody reads


class LoadError(Exception):
    """The kernel does not take the programs; the message says what was tried and what it said."""


def main() -> int:
    """As the module says; 1 when there is no object, or its programs cannot be given to the bridge."""
    path, bridge = Path(sys.argv[1]), os.environ.get("BRIDGE", "cni0")
    try:
        data = files.read_bytes(str(path), "`mcastlab up` puts it there again")
        if os.environ.get("SHA256", "") not in {"", hashlib.sha256(data).hexdigest()}:
            raise ValueError("is not the object that the bundle has: its SHA-256 is another")
        found = elf.parse(data)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"'{path}': {error}\n")
        return 1
    try:
        before, kind = ensure(data, found)
    except (LoadError, OSError) as error:
        reason = str(getattr(error, "strerror", None) or error)[:_REASON]
        sys.stderr.write(f"this kernel does not take the multicast policy's programs: {reason}\n")
        return _refuse(reason)
    try:
        give(bridge, data, kind, before)
    except (hooks.HookError, OSError) as error:
        sys.stderr.write(f"bridge '{bridge}' cannot be given the multicast policy's programs: {error}\n")
        return 1
    return 0


def _refuse(reason: str) -> int:
    (_FOLDER / "ports").mkdir(mode=0o700, parents=True, exist_ok=True)
    files.write_whole(str(_FOLDER / (OLDER if hooks.stamp() else REFUSED)), f"{reason}\n".encode())
    return 0


def give(bridge: str, data: bytes, kind: str, before: Path | None) -> None:
    """Give the current programs to the bridge and to the ports that it has, in place of those of `before`; keep the
    object for the agent, and say by which kind of hook it is done. Raises HookError or OSError."""
    (_FOLDER / "ports").mkdir(mode=0o700, parents=True, exist_ok=True)
    _own_bridge(bridge)
    current, old = hooks.Programs(), hooks.Programs(str(before)) if before else None
    hooks.attach(kind, [bridge], hooks.BRIDGE, current, old)
    ports = sorted(path.name for path in Path(f"/sys/class/net/{bridge}/brif").iterdir())
    for port in ports:
        index = _index(port)
        try:
            hooks.attach(kind, [port], hooks.of(port), current, old)
        except hooks.HookError:
            if index and _index(port) == index:  # else its pod has ended, and one that follows gets them by the plug-in
                raise
    for name, content in ((OBJECT, data), (KIND, kind.encode())):
        files.write_whole(str(_FOLDER / name), content)
    for name in (REFUSED, OLDER):
        (_FOLDER / name).unlink(missing_ok=True)
    for programs in (current, old):
        if programs:
            programs.close()
    remove_others()


def _index(port: str) -> int:
    try:
        return socket.if_nametoindex(port)
    except OSError:
        return 0


def _own_bridge(bridge: str) -> None:
    """No pod has the bridge's MAC address, from the first one on: the agent comes later."""
    owners = bpf.Map.pinned(f"{PINS}/owners")
    mac = bytes.fromhex(Path(f"/sys/class/net/{bridge}/address").read_text().strip().replace(":", ""))
    owners.put(mac + b"\0\0", struct.pack("=I", socket.if_nametoindex(bridge)))
    os.close(owners.fd)


def ensure(data: bytes, found: elf.Object, *, kind: str = "") -> tuple[Path | None, str]:
    """Make the object's programs the current ones: (the folder of those before, by which kind of hook).

    With a `kind` that is known to go they are not tried. Raises LoadError or OSError, and then all is as it was.
    """
    _mount()
    digest = hashlib.sha256(data).digest()
    place = _ROOT / digest.hex()[:16]
    before = _CURRENT.resolve() if _CURRENT.exists() and _CURRENT.resolve() != place else None
    if is_whole(place, found, digest):
        kind = kind or _try_out(place)
        _point_to(place)
        return before, kind
    new = _ROOT / f"new-{os.getpid()}"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700, parents=True)
    try:
        load(new, found, digest)
        kind = kind or _try_out(new)
        shutil.rmtree(place, ignore_errors=True)  # a rest of it, which was not whole
        new.rename(place)
        _point_to(place)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return before, kind


def load(folder: Path, found: elf.Object, digest: bytes) -> None:
    """Make the maps, have the programs judged, and pin all of it in `folder`."""
    maps = {name: bpf.Map.create(name, shape) for name, shape in found.maps.items()}
    maps["release"].put(bytes(4), digest)
    for name, made in maps.items():
        bpf.pin(made.fd, f"{folder}/{name}")
    descriptors = {name: made.fd for name, made in maps.items()}
    for name, program in found.programs.items():
        fd = bpf.load_program(name, program.with_maps(descriptors), found.terms)
        bpf.pin(fd, f"{folder}/{name}")
        os.close(fd)
    for made in maps.values():
        os.close(made.fd)


def is_whole(place: Path, found: elf.Object, digest: bytes) -> bool:
    """Whether everything of the object is pinned there, and it is that very object's."""
    if not all((place / name).exists() for name in (*found.maps, *found.programs)):
        return False
    release = bpf.Map.pinned(f"{place}/release")
    try:
        return release.get(bytes(4)) == digest
    finally:
        os.close(release.fd)


def remove_others() -> None:
    """Take away the pins of other objects; programs that are still in use somewhere live until they are not."""
    current = _CURRENT.resolve()
    for folder in _ROOT.iterdir():
        if folder.is_dir() and not folder.is_symlink() and folder != current:
            shutil.rmtree(folder, ignore_errors=True)


def _point_to(place: Path) -> None:
    if _CURRENT.is_symlink() and _CURRENT.readlink() == Path(place.name):
        return
    beside = _ROOT / f"next-{os.getpid()}"
    beside.unlink(missing_ok=True)
    beside.symlink_to(place.name)
    beside.rename(_CURRENT)


def _try_out(folder: Path) -> str:
    """Attach every program in a network namespace of its own; the first kind of hook by which it goes."""
    refusals = []
    package = Path(__file__).resolve().parent
    for kind in os.environ.get("HOOKS", " ".join(KINDS)).split():
        argv = ["unshare", "--net", sys.executable, "-m", f"{package.name}.hooks", kind, str(folder)]
        done = _run(argv, env={"PYTHONPATH": str(package.parent), "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin")})
        if not done.returncode:
            return kind
        refusals.append(f"{kind}: {done.stderr.strip()}")
    raise LoadError("they cannot be attached: " + "; ".join(refusals))


def _mount() -> None:
    _ROOT.mkdir(mode=0o700, parents=True, exist_ok=True)
    if _ROOT.is_mount():
        return
    done = _run(["mount", "-t", "bpf", "-o", "mode=0700", "bpf", str(_ROOT)])
    if done.returncode:
        raise LoadError(f"no bpf file system can be mounted: {done.stderr.strip()}")


def _run(argv: list[str], env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=_SECONDS, check=False, env=env)
    except subprocess.TimeoutExpired as error:
        raise LoadError(str(error)) from error


if __name__ == "__main__":
    raise SystemExit(main())
