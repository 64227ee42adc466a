#!/usr/bin/python
"""Ansible module: take a host that exists for a lab, and give it back as it was."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: host_claim
short_description: Take a host that exists for a lab, and give it back as it was
description:
  - C(claimed) refuses a host that is part of another lab or of any cluster that is not this lab's, looks at its kernel,
    and before the first change notes what a lab changes beyond its own files, to put it back later.
  - C(looked) says whether the lab has the host, and changes nothing.
  - C(released) puts kernel settings back, removes packet filter tables and folders that the lab left empty, and forgets
    the lab. It is the last step of a reset.
options:
  lab:
    description: Name of the lab.
    type: str
    required: true
  carries_pods:
    description: Whether the host becomes a node, which must not have a containerd of its own.
    type: bool
    default: false
  state:
    description: What to do.
    type: str
    choices: [claimed, looked, released]
    default: claimed
author:
  - The mcastlab authors
"""

EXAMPLES = r"""
- name: Take the host
  mcastlab.mcastlab.host_claim:
    lab: mcastlab
"""

RETURN = r"""
held:
  description: Whether the lab had the host before.
  type: bool
  returned: always
node:
  description: What roles must know of the kernel, in_container, cgroup_version (1 or 2), sys_resource and from_image.
  type: dict
  returned: always
"""


def specification():
    """What the module takes: DOCUMENTATION as Ansible wants it. What it does is in module_utils/host_claim.py."""
    states = {"type": "str", "choices": ["claimed", "looked", "released"], "default": "claimed"}
    options = {
        "lab": {"type": "str", "required": True},
        "carries_pods": {"type": "bool", "default": False},
        "state": states,
    }
    return {"argument_spec": options}
