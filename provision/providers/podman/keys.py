"""The lab's key and the hosts' keys, exchanged through podman exec: nothing is trusted on first use."""

from __future__ import annotations

from pathlib import Path

from provision.core.errors import HostError
from provision.core.run import run
from provision.providers.podman.cli import Podman

_BOOT_SECONDS = 60

# Runs inside a new host, through podman exec: the channel that the lab's key and the host's key travel by is
# trusted, so the first SSH connection already knows whom it speaks to.
_SCRIPT = """
set -eu
for n in $(seq 300); do [ -S /run/systemd/private ] && break; sleep 0.1; done
install -d -m 700 /root/.ssh
cat > /root/.ssh/authorized_keys.new
chmod 600 /root/.ssh/authorized_keys.new
cmp -s /root/.ssh/authorized_keys.new /root/.ssh/authorized_keys 2>/dev/null || \
  cp -p /root/.ssh/authorized_keys.new /root/.ssh/authorized_keys
rm -f /root/.ssh/authorized_keys.new
[ -s /etc/ssh/ssh_host_ed25519_key.pub ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
systemctl is-active --quiet ssh || systemctl start ssh
cat /etc/ssh/ssh_host_ed25519_key.pub
"""


def make_key(path: Path, comment: str) -> None:
    """Make the lab's key pair at `path`, 0600, unless both halves are there; raises HostError where it cannot be.

    Half of a pair is an interrupted run's, and so is one that is empty; a link or a FIFO is nobody's key.
    """
    public = path.with_suffix(".pub")
    halves = (path, public)
    if not all(half.is_file() and not half.is_symlink() and half.stat().st_size for half in halves):
        try:
            for half in halves:
                half.unlink(missing_ok=True)
        except OSError as error:
            raise HostError(
                f"This is not the lab's key, and cannot be replaced: {error.strerror}",
                where=str(error.filename),
                remedy="Remove it",
            ) from error
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)], timeout=30)


def hand_over(podman: Podman, container: str, public_key: str) -> str:
    """Give `container` the lab's public key, start its SSH server and return its host key as "type key".

    Raises HostError when it does not boot that far within 60 s.
    """
    done = podman.run(
        ["exec", "-i", container, "sh", "-c", _SCRIPT], stdin=public_key, timeout=_BOOT_SECONDS, check=False
    )
    if done.returncode != 0:
        raise HostError(
            "The host did not start its SSH server",
            where=container,
            detail=done.stderr[-2000:],
            remedy="`mcastlab logs DIR` collects its console and journal",
        )
    return " ".join(done.stdout.split()[:2])
