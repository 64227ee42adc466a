#!/usr/bin/python
"""Ansible module: objects of a cluster as manifests have them, by kubectl on a node."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cluster_objects
short_description: Objects of a cluster as manifests have them
description:
  - Lets the API server say whether any of the objects differs, and applies them all only then, server-side.
  - C(kubectl apply) alone writes every object anew and does not say whether that changed it.
options:
  manifests:
    description: Objects in YAML, in the order in which they are to be made.
    type: str
    required: true
  kubeconfig:
    description: File on the host with which to ask and apply.
    type: path
    required: true
author:
  - The mcastlab authors
"""

EXAMPLES = r"""
- name: Have a namespace
  mcastlab.mcastlab.cluster_objects:
    kubeconfig: /etc/kubernetes/admin.conf
    manifests: "{{ lookup('ansible.builtin.template', 'namespace.yml.j2') }}"
"""

RETURN = r"""
applied:
  description: The lines of C(kubectl apply), one for each object; none where no object differed.
  type: list
  returned: always
diff:
  description: What differed, as C(kubectl diff) shows it; for C(--diff).
  type: dict
  returned: always
"""


def specification():
    """What the module takes: DOCUMENTATION as Ansible wants it. What it does is in module_utils/cluster_objects.py."""
    options = {"manifests": {"type": "str", "required": True}, "kubeconfig": {"type": "path", "required": True}}
    return {"argument_spec": options}
