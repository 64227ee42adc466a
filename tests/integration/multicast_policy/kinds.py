"""Which kinds of hooks this kernel has, by trying: each in a network namespace of its own.

python -m tests.integration.multicast_policy.kinds KIND    attach a program that does nothing, or fail
"""

from __future__ import annotations

import functools
import struct
import subprocess
import sys

from agents.multicast_policy import bpf, hooks
from provision.core.paths import ROOT
from tests.integration.multicast_policy.patience import patient

_NOTHING = bytes.fromhex("b7000000ffffffff 9500000000000000")  # r0 = -1 (go on); exit
_ATTACH, _TCX_INGRESS, _LO = 8, 46, 1
_CLSACT = (["qdisc", "add", "dev", "lo", "clsact"],
           ["filter", "add", "dev", "lo", "ingress", "bpf", "bytecode", "1,6 0 0 0"])  # fmt: skip


@functools.cache
def kinds() -> list[str]:
    """Those by which every test goes; all of them where none does, so that the tests fail and say why."""
    command = ["unshare", "--net", sys.executable, "-m", __name__]
    tried = {kind: _ends_well([*command, kind]) for kind in hooks.KINDS}
    return [kind for kind, goes in tried.items() if goes] or list(hooks.KINDS)


def _ends_well(argv: list[str]) -> bool:
    return subprocess.run(argv, check=False, capture_output=True, timeout=patient(30), cwd=ROOT).returncode == 0


def main(kind: str) -> None:
    if kind == "clsact":
        for words in _CLSACT:
            subprocess.run(["tc", *words], check=True)
        return
    fd = bpf.load_program("nothing", _NOTHING, b"\0")
    bpf.call(_ATTACH, struct.pack("=IIIIIIQ", _LO, fd, _TCX_INGRESS, 0, 0, 0, 0), "attaching by tcx")


if __name__ == "__main__":
    main(*sys.argv[1:])
