"""How long these tests wait, and what they allow: MCASTLAB_PATIENCE times what a machine of today needs (1).

An emulated machine is some eight times slower. What the kernel's own clocks decide (a bridge's response interval) is
not slower there, and is not multiplied.
"""

from __future__ import annotations

import os

from provision.core.wait import Deadline

PATIENCE = float(os.environ.get("MCASTLAB_PATIENCE", "1"))


def patient(seconds: float) -> float:
    """So many seconds as this machine needs for what takes `seconds` elsewhere."""
    return seconds * PATIENCE


def within(seconds: float) -> Deadline:
    """A deadline after so many of them."""
    return Deadline.after(patient(seconds))


LIVELY = patient(0.4)  # seconds in which everything sent has long arrived
