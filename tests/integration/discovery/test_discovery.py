"""The demo's agent as it runs: peers are found, marked dead in the times that it promises, and found again."""

from __future__ import annotations

import time

import pytest

from tests.integration.discovery.conftest import Instance, Lan, eventually

SLACK = 3.0  # for a machine that is busy


def sees(instance: Instance, *names: str) -> None:
    eventually(
        instance.peers, lambda peers: set(peers) == set(names) and all(p["alive"] for p in peers.values()), 2 + SLACK
    )


def test_peers_find_each_other_and_mark_dead_who_is_gone(lan: Lan) -> None:
    first, second = lan.start("first"), lan.start("second")
    sees(first, "second")
    sees(second, "first")
    third = lan.start("third")
    sees(first, "second", "third")
    third.end()
    ended = time.monotonic()
    dead = eventually(first.peers, lambda peers: not peers["third"]["alive"], 8 + SLACK)["third"]
    silent = time.monotonic() - ended
    assert 3 < silent < 8 + SLACK, silent  # its last ping came up to 2 s before its end
    assert dead["age"] > 5
    assert first.peers()["second"]["alive"]
    log = first.log.read_text()
    assert "found third at 10.99.77.3" in log
    assert "third is dead: silent for" in log


def test_a_peer_that_comes_back_is_alive_again(lan: Lan) -> None:
    first, second = lan.start("first"), lan.start("second")
    sees(first, "second")
    second.process.send_signal(19)  # SIGSTOP: it is there and silent
    try:
        eventually(first.peers, lambda peers: not peers["second"]["alive"], 8 + SLACK)
    finally:
        second.process.send_signal(18)
    sees(first, "second")
    assert "second is alive again" in first.log.read_text()


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
    assert set(first.peers()) == {"second"}
