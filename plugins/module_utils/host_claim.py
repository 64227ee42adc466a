"""What the module host_claim does on a host."""

from __future__ import annotations

import os

from .host_before import claim, release
from .host_holder import MARKER, Refused, holds, node, refusals


def outcome(wanted, check_mode):
    """Take the host, look at it or give it back as `wanted`, the validated arguments; return the module's result."""
    lab, state = wanted["lab"], wanted["state"]
    held = holds(lab)
    found = refusals(lab, wanted["carries_pods"]) if state == "claimed" or os.path.lexists(MARKER) else []
    changed = (state == "claimed" and not held) or (state == "released" and held)
    facts = node()
    if changed and not found and not check_mode:
        try:
            claim(lab) if state == "claimed" else release()
        except Refused as error:
            found = [error.args]
    if found:
        lines = [f"This host {problem}. {remedy}." for problem, remedy in found]
        return {"failed": True, "msg": "\n".join(lines), "held": held}
    return {"changed": changed, "held": held, "node": facts}
