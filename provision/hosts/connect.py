"""Making an SSH connection to a host of the lab, and saying why one cannot be made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from provision.core.errors import HostError, InputError
from provision.core.files import read_octets, read_whole
from provision.hosts.machine import Machine

if TYPE_CHECKING:
    from paramiko import PKey, SSHClient

CONNECT_SECONDS = 10.0


def connect(machine: Machine) -> SSHClient:
    """A connection that trusts only the machine's known_hosts; raises HostError, or InputError for a key file."""
    import paramiko

    require_key(machine)
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    try:
        if machine.known_hosts.exists():
            read_whole(machine.known_hosts, _unknown_key(machine), links=True)  # paramiko would wait for a FIFO
            client.load_host_keys(str(machine.known_hosts))
        client.connect(
            machine.address,
            machine.port,
            machine.user,
            pkey=_load_key(machine.key_file, machine.name) if machine.key_file else None,
            timeout=CONNECT_SECONDS,
            banner_timeout=CONNECT_SECONDS,
            auth_timeout=CONNECT_SECONDS,
            allow_agent=machine.key_file is None,
            look_for_keys=machine.key_file is None,
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
            remedy=_changed_key(machine),
        )
    if isinstance(error, paramiko.AuthenticationException) or str(error) == "No authentication methods available":
        return _refused(machine)
    if isinstance(error, paramiko.SSHException) and "known_hosts" in str(error):
        return unpinned(machine)
    if isinstance(error, (paramiko.SSHException, OSError)):
        reason = str(error).removeprefix("[Errno None] ") or type(error).__name__
        return HostError(
            f"Host '{machine.name}' cannot be reached by SSH: {reason}",
            where=endpoint(machine),
            remedy="Check that it runs"
            + ("" if machine.existing else " (`mcastlab status`)")
            + " and that sshd answers on that port",
        )
    return error


def require_key(machine: Machine) -> None:
    """Raises HostError where the lab's own key is not there any more, InputError where it is the user's."""
    if machine.key_file is None or machine.key_file.exists():
        return
    if machine.existing:
        raise _unreadable(machine.key_file, machine.name, "No such file or directory")
    raise HostError("The lab's key is gone", where=str(machine.key_file), remedy="`mcastlab up` makes a new one")


def _load_key(key_file: Path, host: str) -> PKey:
    """The private key; raises InputError where the file cannot be used as it is."""
    import paramiko

    try:
        read_octets(key_file, "Name the private key's own file", links=True, kind=InputError)
        return paramiko.PKey.from_path(key_file)
    except (TypeError, paramiko.PasswordRequiredException) as error:  # cryptography's and paramiko's own word for it
        raise InputError(
            f"The key for host '{host}' has a passphrase",
            where=str(key_file),
            remedy="Add it to the SSH agent (`ssh-add`) and remove `key`, which then is the agent's",
        ) from error
    except (OSError, ValueError, paramiko.SSHException) as error:
        reason = getattr(error, "strerror", "") or str(error)
        raise _unreadable(key_file, host, reason) from error


def _unreadable(key_file: Path, host: str, reason: str) -> InputError:
    return InputError(
        f"The key for host '{host}' cannot be read: {reason}",
        where=str(key_file),
        remedy="Correct its path; it begins at lab.yml",
    )


def unpinned(machine: Machine) -> HostError:
    """The error for a host whose key is in no file of known hosts."""
    return HostError(
        f"Host '{machine.name}' has no pinned host key", where=endpoint(machine), remedy=_unknown_key(machine)
    )


def _refused(machine: Machine) -> HostError:
    if machine.key_file:
        key = f"the public half of {machine.key_file}"
    else:
        key = "one of the SSH agent's keys (`ssh-add -L`), or of ~/.ssh/id_*.pub,"
    return HostError(
        f"Host '{machine.name}' refused the key of user '{machine.user}'",
        where=endpoint(machine),
        remedy=f"Check that {key} is in that user's authorized_keys",
    )


def _known_as(machine: Machine) -> str:
    """What the host is called in known_hosts (sshd(8))."""
    return machine.address if machine.port == 22 else f"[{machine.address}]:{machine.port}"


def _changed_key(machine: Machine) -> str:
    if not machine.existing:
        return f"If the host was made anew, run `mcastlab up` to pin it again; the pin is in {machine.known_hosts}"
    return (
        f"Find out why. If the host was made anew: `ssh-keygen -R '{_known_as(machine)}' -f {machine.known_hosts}`,"
        " then add its key as for a new host"
    )


def _unknown_key(machine: Machine) -> str:
    if not machine.existing:
        return f"Run `mcastlab up`, which writes it to {machine.known_hosts}"
    return (
        f"`ssh-keyscan -p {machine.port} {machine.address} >> {machine.known_hosts}`, once its fingerprint is the one"
        " that `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` shows on the host's own console"
    )


def openssh_options(machine: Machine) -> list[str]:
    """As OpenSSH takes them after `-o`: the pinned host key and no other, the machine's key and no other.

    ssh_config(5) takes several files apart at blanks, unless quoted, and replaces tokens that begin with %.
    """
    options = [f"UserKnownHostsFile={_path(machine.known_hosts)}", "StrictHostKeyChecking=yes"]
    if machine.key_file:
        options.append("IdentitiesOnly=yes")
    return options


def openssh_key(key_file: Path) -> str:
    """The option that names the private key."""
    return f"IdentityFile={_path(key_file)}"


def _path(path: Path) -> str:
    return '"' + str(path).replace("%", "%%") + '"'


def endpoint(machine: Machine) -> str:
    """USER@ADDRESS:PORT, for messages."""
    return f"{machine.user}@{machine.address}:{machine.port}"
