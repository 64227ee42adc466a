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

import subprocess

# The objects are the lab's own: where somebody else has set one of their fields, it is set back.
_HOW = ("--server-side", "--force-conflicts", "--field-manager=mcastlab", "--filename=-")
_SECONDS = 300
_SAME, _DIFFERENT = 0, 1  # exit codes of `kubectl diff`; above it could not tell, and apply says what is wrong


def kubectl(wanted, verb):
    argv = ["kubectl", "--kubeconfig", wanted["kubeconfig"], verb, *_HOW]
    return subprocess.run(
        argv, input=wanted["manifests"], capture_output=True, text=True, timeout=_SECONDS, check=False
    )


def specification():
    """What the module takes: DOCUMENTATION as Ansible wants it."""
    options = {"manifests": {"type": "str", "required": True}, "kubeconfig": {"type": "path", "required": True}}
    return {"argument_spec": options}


def outcome(wanted, check_mode):
    """Have the objects as `wanted`, the validated arguments, and return the module's result."""
    try:
        differ = kubectl(wanted, "diff")
        diff = {"prepared": differ.stdout}
        if differ.returncode == _SAME or (check_mode and differ.returncode == _DIFFERENT):
            return {"changed": differ.returncode != _SAME, "applied": [], "diff": diff}
        applied = kubectl(wanted, "apply") if not check_mode else differ
    except subprocess.TimeoutExpired as error:
        return {"failed": True, "msg": f"'kubectl {error.cmd[3]}' did not end within {_SECONDS} s"}
    except OSError as error:
        return {"failed": True, "msg": f"kubectl cannot be run: {error.strerror}"}
    if applied.returncode != 0:
        return {"failed": True, "msg": applied.stderr.strip(), "applied": applied.stdout.splitlines(), "diff": diff}
    return {"changed": True, "applied": applied.stdout.splitlines(), "diff": diff}


def main():
    from ansible.module_utils.basic import AnsibleModule  # here: the action of this name runs the rest without it

    module = AnsibleModule(**specification(), supports_check_mode=True)
    result = outcome(module.params, module.check_mode)
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
