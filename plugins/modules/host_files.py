#!/usr/bin/python
"""Ansible module: small files and systemd units of a host in one round trip."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: host_files
short_description: Small files and systemd units of a host in one round trip
description:
  - Makes each file have exactly the given content, with the folders above it, and each unit enabled and running.
  - Each task that runs on a host costs a third of a second before it does anything, and a template, copy or service
    task takes several of these; over all files and units of a lab that is most of a run.
  - A file is written beside its place and renamed, so that nobody ever reads half of it.
options:
  files:
    description: What there shall be, in this order.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      content:
        description: The whole content; it gets a line end at its end if it has none.
        type: str
      base64:
        description: The whole content, encoded.
        type: str
      source:
        description: A file on the host that has the content, or a folder whose files all go into O(files[].path).
        type: path
      mode:
        description: Mode in octal.
        type: str
        default: "0644"
  units:
    description: Units of systemd that shall be enabled and running, in this order, after the files.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: With its suffix.
        type: str
        required: true
      restart_for:
        description: Files among O(files); one that runs is restarted when one of them was changed.
        type: list
        elements: path
        default: []
      restart:
        description: Whether one that runs is restarted all the same.
        type: bool
        default: false
  look:
    description: Paths to look for, after all else.
    type: list
    elements: path
    default: []
  ask:
    description: Commands that only read, by names of the caller's; they are run last.
    type: dict
    default: {}
author:
  - The mcastlab authors
"""

EXAMPLES = r"""
- name: Run a service
  mcastlab.mcastlab.host_files:
    files:
      - {path: /etc/systemd/system/one.service, content: "{{ lookup('ansible.builtin.template', 'one.service.j2') }}"}
      - {path: /usr/local/bin/one, source: /opt/one/bin/one, mode: "0755"}
    units:
      - {name: one.service, restart_for: [/etc/systemd/system/one.service, /usr/local/bin/one]}
    ask: {version: [/usr/local/bin/one, --version]}
"""

RETURN = r"""
paths:
  description: The files that were changed.
  type: list
  returned: always
units:
  description: The units that were enabled, started or restarted.
  type: list
  returned: always
found:
  description: Of the paths in O(look) those that are there, each with the SHA-256 of its content if it is a file.
  type: dict
  returned: always
said:
  description: For each command in O(ask) its C(rc) and C(stdout).
  type: dict
  returned: always
"""

import base64
import hashlib
import os
import stat
import subprocess
import tempfile

UNIT_FOLDER = "/etc/systemd/system/"


class Refused(Exception):
    """What the host did not do, in a sentence."""


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


def systemctl(*words):
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)  # noqa: S607 - wherever it is
    if done.returncode != 0:
        raise Refused("'systemctl {}' failed: {}".format(" ".join(words), (done.stderr or done.stdout).strip()))
    return done.stdout


def state_of(unit):
    """The unit's properties, as systemd has them."""
    wanted = "--property=LoadState,ActiveState,UnitFileState,NeedDaemonReload"
    return dict(line.split("=", 1) for line in systemctl("show", wanted, unit).splitlines())


def ensure_unit(item, changed_files, check_mode):
    """Have one unit enabled and running, with the files as they are now; return whether anything was done."""
    name, state = item["name"], state_of(item["name"])
    acts = []
    if state["UnitFileState"] != "enabled":
        acts.append("enable")
    if state["ActiveState"] != "active":
        acts.append("start")
    elif item["restart"] or set(item["restart_for"]) & set(changed_files):
        acts.append("restart")
    if not check_mode:
        for act in acts:
            systemctl(act, name)
    return bool(acts)


def reload_units(units, changed_files, check_mode):
    """Have systemd read its files again where one has changed, also in a run that was interrupted before this."""
    stale = any(path.startswith(UNIT_FOLDER) for path in changed_files) or any(
        state_of(unit["name"])["NeedDaemonReload"] == "yes" for unit in units
    )
    if stale and not check_mode:
        systemctl("daemon-reload")


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


def specification():
    """What the module takes: DOCUMENTATION as Ansible wants it."""
    file = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str"},
        "base64": {"type": "str"},
        "source": {"type": "path"},
        "mode": {"type": "str", "default": "0644"},
    }
    one_content = {
        "mutually_exclusive": [("content", "base64", "source")],
        "required_one_of": [("content", "base64", "source")],
    }
    unit = {
        "name": {"type": "str", "required": True},
        "restart_for": {"type": "list", "elements": "path", "default": []},
        "restart": {"type": "bool", "default": False},
    }
    options = {
        "files": {"type": "list", "elements": "dict", "default": [], "options": file, **one_content},
        "units": {"type": "list", "elements": "dict", "default": [], "options": unit},
        "look": {"type": "list", "elements": "path", "default": []},
        "ask": {"type": "dict", "default": {}},
    }
    return {"argument_spec": options}


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


def main():
    from ansible.module_utils.basic import AnsibleModule  # here: the action of this name runs the rest without it

    module = AnsibleModule(**specification(), supports_check_mode=True)
    result = outcome(module.params, module.check_mode)
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
