"""Whether this machine can run virtual machines by its hardware: tried, for a device alone proves nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from provision.core.errors import CommandError
from provision.core.run import run
from provision.providers.vagrant import box

_DEVICE = Path("/dev/kvm")
_TRIAL_SECONDS = 8.0
_SIGN_OF_LIFE = "Linux version"


def kvm_works() -> bool:
    """Whether /dev/kvm boots our own box's kernel until it says its version; without one, whether it can be opened.

    A device that is there and boots nothing is what some machines have that are virtual themselves.
    """
    if not os.access(_DEVICE, os.R_OK | os.W_OK):
        return False
    own, emulator = box.find(), shutil.which("qemu-system-x86_64")
    if own is None or emulator is None:
        return True
    argv = [emulator, "-accel", "kvm", "-cpu", "host", "-m", "256", "-nodefaults", "-display", "none", "-no-reboot"]
    # The kernel ends itself for want of a root file system; the time limit is for one that does not even start.
    argv += ["-serial", "stdio", "-kernel", str(own.kernel), "-append", "console=ttyS0 panic=-1"]
    try:
        return _SIGN_OF_LIFE in run(argv, timeout=_TRIAL_SECONDS, check=False).stdout
    except CommandError as error:
        return _SIGN_OF_LIFE in error.detail
