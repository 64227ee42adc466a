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


def specification():
    """What the module takes: DOCUMENTATION as Ansible wants it. What it does is in module_utils/host_files.py."""
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
