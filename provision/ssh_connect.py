"""Making an SSH connection to a host of the lab, and saying why one cannot be made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.errors import HostError
from provision.providers.base import Machine

if TYPE_CHECKING:
    from paramiko import SSHClient

CONNECT_SECONDS = 10.0


def connect(machine: Machine) -> SSHClient:
    """A connection that trusts only the pinned host key and offers only the lab's key; raises HostError."""
    import paramiko

    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    try:
        client.load_host_keys(str(machine.known_hosts))
        client.connect(
            machine.address,
            machine.port,
            machine.user,
            pkey=paramiko.PKey.from_path(machine.key_file),
            timeout=CONNECT_SECONDS,
            banner_timeout=CONNECT_SECONDS,
            auth_timeout=CONNECT_SECONDS,
            allow_agent=False,
            look_for_keys=False,
        )
    except Exception as error:
        client.close()
        raise _explained(error, machine) from error
    return client


def _explained(error: Exception, machine: Machine) -> Exception:
    """`error` of paramiko as one of ours; an error that is neither SSH's nor the system's is returned as it is."""
    import paramiko

    if isinstance(error, paramiko.BadHostKeyException):
        return HostError(
            f"Host '{machine.name}' shows another host key than the pinned one",
            where=endpoint(machine),
            remedy=f"If the host was made anew, run `mcastlab up` to pin it again; the pin is in {machine.known_hosts}",
        )
    if isinstance(error, paramiko.AuthenticationException):
        return HostError(
            f"Host '{machine.name}' refused the key of user '{machine.user}'",
            where=endpoint(machine),
            remedy=f"Check that the public half of {machine.key_file} is in that user's authorized_keys",
        )
    if isinstance(error, paramiko.SSHException) and "known_hosts" in str(error):
        return HostError(
            f"Host '{machine.name}' has no pinned host key",
            where=endpoint(machine),
            remedy=f"Run `mcastlab up`, which writes it to {machine.known_hosts}",
        )
    if isinstance(error, (paramiko.SSHException, OSError)):
        return HostError(
            f"Host '{machine.name}' cannot be reached by SSH: {error or type(error).__name__}",
            where=endpoint(machine),
            remedy="Check that it runs (`mcastlab status`) and that sshd answers on that port",
        )
    return error


def endpoint(machine: Machine) -> str:
    """USER@ADDRESS:PORT, for messages."""
    return f"{machine.user}@{machine.address}:{machine.port}"
