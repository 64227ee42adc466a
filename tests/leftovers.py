"""Remove the labs of test runs that were killed: they hold names and subnets that the next run needs.

`scripts/test` runs it before the suites. A lab belongs to a test run when its folder lies below pytest's, and the run
is over when the process that pytest's lock there names is gone.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from provision import config
from provision.core import labels
from provision.core.paths import StateDir
from provision.providers.podman.cli import Podman
from provision.providers.podman.lan import drop_port_table, port_tables
from provision.providers.podman.provider import PodmanProvider
from tests.plain_user import PlainUser

_RUN = re.compile(r".*/pytest-of-[^/]+/pytest-\d+(?=/)")
_TABLE = re.compile(r"(mcl-[0-9a-f]{10})-")
_LINKS = Path("/sys/class/net")
_LAB = Path(__file__).resolve().parent.parent / "molecule" / "shared" / "lab.yml"


def main() -> int:
    for name, folder in sorted(labs()):
        if (run := _RUN.match(folder)) and not running(Path(run[0])):
            lab = config.load(_LAB).model_copy(update={"name": name})
            removed = PodmanProvider(lab, StateDir(Path(folder))).down(lab)
            print(f"left by a test run that was killed: {', '.join(removed)}", file=sys.stderr)
    if not running(PlainUser.home) and PlainUser.remove():
        print("left by a test run that was killed: a user and that user's lab", file=sys.stderr)
    for table in dead_tables():
        drop_port_table(table)
        print(f"left by a lab whose folder is gone: rules {table}", file=sys.stderr)
    return 0


def labs() -> set[tuple[str, str]]:
    """Name and folder of every lab that has a container."""
    shown = Podman().run(["ps", "--all", "--filter", f"label={labels.LAB}", "--format", "json"]).stdout
    found = [container["Labels"] for container in json.loads(shown or "[]")]
    return {(one[labels.LAB], one[labels.FOLDER]) for one in found}


def dead_tables() -> list[str]:
    """The rules of LAN ports whose bridge is not there: no host of that LAN runs."""
    named = {name: _TABLE.match(name) for name in port_tables()}
    return [name for name, bridge in named.items() if bridge and not (_LINKS / bridge[1]).exists()]


def running(folder: Path) -> bool:
    """Whether the run of pytest to which this folder belongs goes on: xdist's workers share the lock of its start."""
    try:
        pid = int((folder / ".lock").read_text())
        return b"pytest" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return False


if __name__ == "__main__":
    sys.exit(main())
