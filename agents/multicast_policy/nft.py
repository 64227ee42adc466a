"""The one door to nftables."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from .rules import FAMILY, TABLE

Json = dict[str, Any]
_SECONDS = 20


class NftError(Exception):
    """nft refused or did not end; the message is its own."""


def apply(document: Json) -> None:
    """One transaction: all of `document` or nothing."""
    _nft(["-j", "-f", "-"], json.dumps(document))


def load(base: Path) -> None:
    """The default drop, as the node's systemd unit loads it."""
    _nft(["-f", str(base)])


def listing() -> Json | None:
    """Chains, rules and counters of the table, but no elements of maps and sets; None where there is no such table."""
    try:
        found: Json = json.loads(_nft(["-j", "-t", "list", "table", FAMILY, TABLE]))
    except NftError as error:
        if "No such file or directory" in str(error):
            return None
        raise
    return found


def counters() -> dict[str, int]:
    """Packets of every named counter of the table."""
    listing = json.loads(_nft(["-j", "list", "counters", "table", FAMILY, TABLE]))
    found = (item["counter"] for item in listing["nftables"] if "counter" in item)
    return {counter["name"]: counter["packets"] for counter in found}


def _nft(argv: list[str], text: str = "") -> str:
    try:
        done = subprocess.run(
            ["/usr/sbin/nft", *argv], input=text, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NftError(f"nft {' '.join(argv)}: {error}") from error
    if done.returncode != 0:
        raise NftError(f"nft {' '.join(argv)} ended with {done.returncode}: {done.stderr.strip()[:2000]}")
    return done.stdout
