"""What tools say stays as it is, and gets a remedy where one is known; what Vagrant says first was recorded here."""

from __future__ import annotations

import pytest

from provision.core.errors import CommandError
from provision.core.hints import HINTS, hint, hinted

ABSENT_BOX = """\
The box 'nobody/nothing' could not be found or
could not be accessed in the remote catalog. If this is a private
box on HashiCorp's Vagrant Cloud, please verify you're logged in via
`vagrant login`. Also, please double-check the name. The expanded
URL and error message are shown below:

URL: ["https://vagrantcloud.com/api/v2/vagrant/nobody/nothing"]
Error: Could not resolve host: vagrantcloud.com"""


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        (ABSENT_BOX, "mcastlab artifacts build box"),
        ("Call to virConnectOpen failed: Failed to connect socket to '/var/run/libvirt/libvirt-sock'", "libvirtd"),
        ("VT-x is disabled in the BIOS for all CPU modes (VERR_VMX_MSR_ALL_VMX_DISABLED)", "firmware"),
        ("Something new", ""),
    ],
)
def test_the_words_stay_and_a_remedy_is_added(said: str, remedy: str) -> None:
    with pytest.raises(CommandError) as caught, hinted():
        raise CommandError("Command 'vagrant' failed with exit code 1", where="vagrant up", detail=said)
    assert all(f"  | {line}".rstrip() in str(caught.value) for line in said.splitlines())
    assert remedy in caught.value.remedy
    assert bool(remedy) == bool(caught.value.remedy)


@pytest.mark.parametrize("command", ["go build", "sudo -n mmdebstrap bookworm", "/opt/vagrant/bin/vagrant up"])
def test_only_the_tool_that_says_it_gets_the_hint(command: str) -> None:
    said = "dial tcp 127.0.0.1:1: connection refused\nE: Failed to fetch http://deb.debian.org\nlibvirt-sock"
    known = hint(CommandError("Failed", where=command, detail=said))
    assert known in HINTS[next(tool for tool in HINTS if tool and tool in command)]
    assert hint(CommandError("Failed", where="podman ps", detail=said)) is None
