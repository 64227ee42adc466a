"""What Vagrant says stays as it is, and gets a remedy where one is known; the first was recorded here."""

from __future__ import annotations

import pytest

from provision.core.errors import CommandError
from provision.providers.vagrant.hints import vagrant_hints

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
    with pytest.raises(CommandError) as caught, vagrant_hints():
        raise CommandError("Command 'vagrant' failed with exit code 1", where="vagrant up", detail=said)
    assert all(f"  | {line}".rstrip() in str(caught.value) for line in said.splitlines())
    assert remedy in caught.value.remedy
    assert bool(remedy) == bool(caught.value.remedy)
