"""The plug-in's entry: one call in, one JSON object out."""

from __future__ import annotations

import json
import os
import sys

from .errors import INTERNAL, CniError
from .request import Request
from .versions import NEWEST, SPOKEN


def main() -> int:
    """Serve the call in the environment; 0 or 1.

    `netattach credentials …` is the DaemonSet's program instead, `netattach hand-over` what the role runs when Multus
    takes over, `netattach reserve …` what it runs before the first worker, `netattach reconcile …` a unit's,
    `netattach whole …` what `mcastlab status` and checks ask.
    """
    if sys.argv[1:]:
        return _program(sys.argv[1], sys.argv[2:])
    version = NEWEST
    try:
        answer = serve(Request(os.environ, sys.stdin.buffer.read()))
    except CniError as error:
        return _fail(error, version)
    except Exception as error:
        import traceback

        traceback.print_exc()
        return _fail(CniError(INTERNAL, f"netattach failed within itself: {error!r}"), version)
    if answer is not None:
        json.dump(answer, sys.stdout)
    return 0


def _program(name: str, words: list[str]) -> int:
    """What is no call of the runtime's."""
    if name == "reconcile":
        from .reconcile import main as program
    elif name == "whole":
        from .whole import main as program
    elif name == "reserve":
        from .reserve import main as program
    elif name == "credentials":
        from .credentials import main as program
    elif name == "hand-over":
        from .multus_cache import main as program
    else:
        sys.stderr.write(f'netattach: there is no "{name}"; a runtime calls it without words\n')
        return 2
    return program(words)


def _fail(error: CniError, version: str) -> int:
    json.dump(error.to_json(version), sys.stdout)
    return 1


def serve(request: Request) -> dict[str, object] | None:
    """Do what `request` asks; what is to be printed, if anything."""
    if request.command == "VERSION":
        return {"cniVersion": request.config.get("cniVersion") or NEWEST, "supportedVersions": list(SPOKEN)}
    if request.command == "ADD":
        from .add import add

        return add(request)
    if request.command == "DEL":
        from .delete import delete as verb
    elif request.command == "CHECK":
        from .check import check as verb
    elif request.command == "STATUS":
        from .status import status as verb
    else:
        from .gc import collect as verb
    verb(request)
    return None
