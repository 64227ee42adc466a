#!/usr/bin/python
"""Ansible module: whole small files of a host in one round trip."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: host_files
short_description: Whole small files of a host in one round trip
description:
  - Makes each file have exactly the given content, with the folders above it.
  - A template or copy task takes several round trips for each file; over all files of a host that is most of a run.
  - A file is written beside its place and renamed, so that nobody ever reads half of it.
options:
  files:
    description: What there shall be.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      content:
        description: The whole content; it gets a line end at its end if it has none.
        type: str
        required: true
      mode:
        description: Mode in octal.
        type: str
        default: "0644"
author:
  - The mcastlab authors
"""

EXAMPLES = r"""
- name: Write a unit
  mcastlab.mcastlab.host_files:
    files:
      - {path: /etc/systemd/system/one.service, content: "{{ lookup('ansible.builtin.template', 'one.service.j2') }}"}
      - {path: /usr/local/bin/one, content: "exec /opt/one/bin/one", mode: "0755"}
"""

RETURN = r"""
paths:
  description: The paths that were changed.
  type: list
  returned: always
"""

import os
import stat
import tempfile

from ansible.module_utils.basic import AnsibleModule


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


def ensure(item, check_mode):
    """Make one file as it shall be; return whether it was not."""
    content, mode = (item["content"].rstrip("\n") + "\n").encode(), int(item["mode"], 8)
    differs = file_differs(item["path"], content, mode)
    if differs and not check_mode:
        put(item["path"], content, mode)
    return differs


def main():
    suboptions = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str", "required": True},
        "mode": {"type": "str", "default": "0644"},
    }
    files = {"type": "list", "elements": "dict", "required": True, "options": suboptions}
    module = AnsibleModule(argument_spec={"files": files}, supports_check_mode=True)
    changed = []
    for item in module.params["files"]:
        try:
            if ensure(item, module.check_mode):
                changed.append(item["path"])
        except OSError as error:
            module.fail_json(msg=f"'{item['path']}' cannot be written: {error.strerror}", paths=changed)
    module.exit_json(changed=bool(changed), paths=changed)


if __name__ == "__main__":
    main()
