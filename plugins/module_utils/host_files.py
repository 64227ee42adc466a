"""What the module host_files does on a host, and files that are whole."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
import subprocess
import tempfile

from .host_units import Refused, ensure_unit, reload_units


def file_differs(path, content, mode):
    """Whether `path` is anything but a plain file of root with this content and mode."""
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode) or stat.S_IMODE(found.st_mode) != mode or found.st_uid != os.geteuid():
            return True
        with open(path, "rb") as stream:
            return stream.read() != content
    except FileNotFoundError:
        return True


def put(path, content, mode):
    """Write beside `path`, then rename within the folder: containerd notices no other way of making a file."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    handle, beside = tempfile.mkstemp(prefix=".mcastlab.", dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            os.fchmod(stream.fileno(), mode)
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def content_of(item):
    """The bytes that the file shall have."""
    if item["source"]:
        try:
            with open(item["source"], "rb") as stream:
                return stream.read()
        except OSError as error:
            raise Refused("'{}' cannot be read: {}".format(item["source"], error.strerror)) from error
    if item["base64"]:
        return base64.b64decode(item["base64"])
    return (item["content"].rstrip("\n") + "\n").encode()


def each_file(items):
    """The files one by one, those of a folder among them."""
    for item in items:
        if item["source"] and os.path.isdir(item["source"]):
            for name in sorted(os.listdir(item["source"])):
                yield {**item, "path": os.path.join(item["path"], name), "source": os.path.join(item["source"], name)}
        else:
            yield item


def ensure_file(item, check_mode):
    """Make one file as it shall be; return whether it was not."""
    content, mode = content_of(item), int(item["mode"], 8)
    try:
        differs = file_differs(item["path"], content, mode)
        if differs and not check_mode:
            put(item["path"], content, mode)
    except OSError as error:
        raise Refused("'{}' cannot be written: {}".format(item["path"], error.strerror)) from error
    return differs


def find(paths):
    """Of `paths` those that are there, with the digest of those that are files."""
    found = {}
    for path in paths:
        if os.path.isfile(path):
            with open(path, "rb") as stream:
                found[path] = hashlib.sha256(stream.read()).hexdigest()
        elif os.path.exists(path):
            found[path] = ""
    return found


def answer(argv):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"rc": -1, "stdout": "", "stderr": str(error)}
    return {"rc": done.returncode, "stdout": done.stdout, "stderr": done.stderr}


def outcome(wanted, check_mode):
    """Do all that is `wanted`, the validated arguments, and return the module's result."""
    paths, units = [], []
    try:
        for item in each_file(wanted["files"]):
            if ensure_file(item, check_mode):
                paths.append(item["path"])
        reload_units(wanted["units"], paths, check_mode)
        for item in wanted["units"]:
            if ensure_unit(item, paths, check_mode):
                units.append(item["name"])
    except Refused as refusal:
        return {"failed": True, "msg": str(refusal), "paths": paths, "units": units}
    said = {name: answer(argv) for name, argv in wanted["ask"].items()}
    changed = bool(paths or units)
    return {"changed": changed, "paths": paths, "units": units, "found": find(wanted["look"]), "said": said}
