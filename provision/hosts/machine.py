"""A host as whoever wants to reach it knows it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Management:
    """A host's place on the network that joins the hosts apart from the multicast LAN; `address6` may be empty."""

    interface: str
    address: str
    address6: str = ""


@dataclass(frozen=True)
class Machine:
    """A running host of the lab as an SSH endpoint; `known_hosts` pins its host key.

    Without `key_file` the SSH agent and the user's own keys are offered. With `become`, commands are root's by sudo.
    `existing`: the host is the user's, and so is the file of host keys.
    An API server on it answers at `address` and `api_port`. Without `management` the LAN is what joins the hosts.
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
    management: Management | None = None
