"""A host as whoever wants to reach it knows it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """A running host of the lab as an SSH endpoint; `known_hosts` pins its host key.

    Without `key_file` the SSH agent and the user's own keys are offered. With `become`, commands are root's by sudo.
    `existing`: the host is the user's, and so is the file of host keys.
    An API server on it answers at `address` and `api_port`.
    """

    name: str
    role: str
    address: str
    port: int
    user: str
    key_file: Path | None
    known_hosts: Path
    become: bool = False
    existing: bool = False
    api_port: int = 6443
