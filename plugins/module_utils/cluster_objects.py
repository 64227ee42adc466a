"""What the module cluster_objects does on a node."""

from __future__ import annotations

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
        return {"failed": True, "msg": f"Command 'kubectl' cannot be run: {error.strerror}"}
    if applied.returncode != 0:
        return {"failed": True, "msg": applied.stderr.strip(), "applied": applied.stdout.splitlines(), "diff": diff}
    return {"changed": True, "applied": applied.stdout.splitlines(), "diff": diff}
