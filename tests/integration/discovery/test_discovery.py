"""The demo's agent as it runs: peers are found, marked dead in the times that it promises, and found again."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.integration.discovery.conftest import Instance, Lan, eventually

SLACK = 10.0  # for a machine that is busy: at load 33 an instance took eight seconds to begin


def sees(instance: Instance, *names: str) -> None:
    eventually(
        instance.peers, lambda peers: set(peers) == set(names) and all(p["alive"] for p in peers.values()), 2 + SLACK
    )


def sees_alive(instance: Instance, name: str) -> None:
    eventually(instance.peers, lambda peers: name in peers and peers[name]["alive"], 2 + SLACK)


def is_dead(peers: dict[str, Any], name: str) -> bool:
    """No answer tells nothing."""
    return name in peers and not peers[name]["alive"]


def says(instance: Instance, line: str) -> None:
    """It answers with what has happened, and writes that down afterwards."""
    eventually(instance.log.read_text, lambda text: line in text, SLACK)


def test_peers_find_each_other_and_mark_dead_who_is_gone(lan: Lan) -> None:
    first, second = lan.start("first"), lan.start("second")
    sees(first, "second")
    sees(second, "first")
    third = lan.start("third")
    sees(first, "second", "third")
    third.end()
    ended = time.monotonic()
    dead = eventually(first.peers, lambda peers: is_dead(peers, "third"), 8 + SLACK)["third"]
    silent = time.monotonic() - ended
    assert 3 < silent < 8 + SLACK, silent  # its last ping came up to 2 s before its end
    assert dead["age"] > 5
    sees_alive(first, "second")
    says(first, f"found third at {third.address}")
    says(first, "third is dead: silent for")


def test_a_peer_that_comes_back_is_alive_again(lan: Lan) -> None:
    first, second = lan.start("first"), lan.start("second")
    sees(first, "second")
    second.process.send_signal(19)  # SIGSTOP: it is there and silent
    try:
        eventually(first.peers, lambda peers: is_dead(peers, "second"), 8 + SLACK)
    finally:
        second.process.send_signal(18)
    sees(first, "second")
    says(first, "second is alive again")


@pytest.mark.parametrize("payload", [b"\xff\xfe", b"x" * 300, b"a\nb", b""])
def test_names_that_are_none_do_not_get_in(lan: Lan, payload: bytes) -> None:
    import subprocess

    first, second = lan.start("first"), lan.start("second")
    sees(first, "second")
    script = "import socket as s, sys; s.socket(2, 2).sendto(bytes.fromhex(sys.argv[1]), ('239.255.42.99', 9999))"
    subprocess.run(
        ["ip", "netns", "exec", second.namespace, "python3", "-c", script, payload.hex()], check=True, timeout=10
    )
    time.sleep(0.5)  # nothing tells of a name that was not taken
    eventually(first.peers, lambda peers: peers and set(peers) == {"second"}, SLACK)
