"""What is missing is told in one sentence, with one line that installs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.core import packages


def test_all_that_is_missing_stands_in_one_sentence_with_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packages, "find", lambda command: None if command.startswith(("ssh", "nft")) else command)
    error = packages.missing(["ip", "ssh", "nft", "ssh-keygen"])
    assert str(error) == (
        "Commands 'ssh', 'nft', 'ssh-keygen' are missing\n  remedy: `apt-get install nftables openssh-client`"
    )
    assert str(packages.missing(["ssh"], "ask somebody")) == (
        "Command 'ssh' is missing\n  remedy: `apt-get install openssh-client`, or ask somebody"
    )
    assert packages.missing(["ip"]) is None


def test_a_command_of_roots_is_found_by_a_plain_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert packages.find("nft") == "/usr/sbin/nft"
    (tmp_path / "nft").write_text("#!/bin/sh\n")
    (tmp_path / "nft").chmod(0o755)
    assert packages.find("nft") == str(tmp_path / "nft")
