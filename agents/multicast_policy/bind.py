#!/usr/bin/python3 -IS
"""CNI plug-in, last in the pod network's chain: binds a port of the bridge to its pod, before the pod can send.

ADD gives the port its two programs, or fails: no process of the pod runs before. Then it writes what the runtime's own
result says to a record, and returns once the node's agent has it in force; without an agent it returns at once, and the
agent finds the record when it starts: until then the port is closed for groups. DEL removes the record. Standard
library, and little of that: it runs for every pod (`socket` alone would cost 8 ms).

CNI specification 1.1.0, https://www.cni.dev/docs/spec/.
"""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False  # importing typing would cost 4 ms
if TYPE_CHECKING:
    from typing import Any

# `hooks` and what it needs are installed there, and in a checkout beside this file; FOLDER, KIND and REFUSED as there.
LIBRARY = "/usr/local/lib/mcastlab"
FOLDER = "/run/mcastlab/multicast-policy"
KIND, REFUSED = "hooks", "refused"
NETWORK, POD_INTERFACE = "pods", "eth0"  # of the network whose chain this plug-in ends: role pod_network
SPOKEN = ["0.4.0", "1.0.0", "1.1.0"]
_ENVIRONMENT, _CONTENT, _IO, _DECODE, _LATER = 4, 7, 5, 6, 11  # error codes of the specification, section 5
_WAIT_SECONDS, _ASK_SECONDS = 2.0, 10.0
_RECORD_BYTES = 1 << 16
_REMEDY = "delete the pod: the one in its place gets a record of its own"
_ID_CHARACTERS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


class CniError(Exception):
    """What goes back to the runtime as an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def main() -> int:
    """Serve the call in the environment; 0 or 1."""
    config: dict[str, Any] = {}
    try:
        config = json.loads(sys.stdin.buffer.read() or b"{}")
        answer = serve(os.environ.get("CNI_COMMAND", ""), config)
    except ValueError as error:
        return fail(config, CniError(_DECODE, f"the network configuration is not JSON: {error}"))
    except OSError as error:
        return fail(config, CniError(_IO, f"'{error.filename}': {error.strerror}"))
    except CniError as error:
        return fail(config, error)
    if answer is not None:
        json.dump(answer, sys.stdout)
    return 0


def fail(config: dict[str, Any], error: CniError) -> int:
    """Print `error` as the specification has it."""
    version = config.get("cniVersion", SPOKEN[-1])
    json.dump({"cniVersion": version, "code": error.code, "msg": f"multicast-bind: {error}"}, sys.stdout)
    return 1


def serve(command: str, config: dict[str, Any]) -> dict[str, Any] | None:
    """Do what `command` asks; what is to be printed, if anything."""
    if command == "VERSION":
        return {"cniVersion": config.get("cniVersion", SPOKEN[-1]), "supportedVersions": SPOKEN}
    if command == "ADD":
        return add(config)
    if command == "DEL":
        remove(record_name())
    elif command == "CHECK":
        check(config)
    elif command == "GC":
        collect(config)
    elif command != "STATUS":
        raise CniError(_ENVIRONMENT, f"CNI_COMMAND '{command}' is not known")
    return None


def record_name() -> str:
    """CONTAINER@INTERFACE of this call; raises CniError when the runtime does not say."""
    given = [os.environ.get(name, "") for name in ("CNI_CONTAINERID", "CNI_IFNAME")]
    if not all(given) or not set("".join(given)) <= _ID_CHARACTERS:
        raise CniError(_ENVIRONMENT, "CNI_CONTAINERID or CNI_IFNAME is missing or not valid")
    return "@".join(given)


def add(config: dict[str, Any]) -> dict[str, Any]:
    """Write the record, have the agent enforce it; the previous plug-in's result is the result."""
    result: dict[str, Any] = config.get("prevResult", {})
    if not result:
        raise CniError(_CONTENT, "there is no prevResult: this plug-in comes after the bridge plug-in")
    name = record_name()
    found = record(result, os.environ.get("CNI_ARGS", ""), config.get("bridge", "cni0"))
    found["container"] = name.split("@")[0]
    insist_on_own(found["port"], name)
    police(found["port"])
    close_port(found["port"])
    os.makedirs(f"{FOLDER}/ports", mode=0o700, exist_ok=True)
    library("files").write_whole(f"{FOLDER}/ports/{name}", json.dumps(found).encode())
    if not tell(wait=True):
        sys.stderr.write("multicast-bind: the agent multicast-policy does not answer; it binds the port when it runs\n")
    return result


def record(result: dict[str, Any], arguments: str, bridge: str) -> dict[str, Any]:
    """What a CNI result and CNI_ARGS say of the pod; raises CniError where they do not."""
    names = dict(pair.split("=", 1) for pair in arguments.split(";") if "=" in pair)
    interfaces = result.get("interfaces", [])
    ports = [i["name"] for i in interfaces if not i.get("sandbox") and master(i["name"]) == bridge]
    inside = [index for index, i in enumerate(interfaces) if i.get("sandbox") and i["name"] == os.environ["CNI_IFNAME"]]
    if len(ports) != 1 or len(inside) != 1:
        raise CniError(_CONTENT, f"the result does not have one port of bridge '{bridge}' and one interface of the pod")
    ips = [ip["address"].split("/")[0] for ip in result.get("ips", []) if ip.get("interface", inside[0]) == inside[0]]
    if "K8S_POD_NAMESPACE" not in names:
        raise CniError(_ENVIRONMENT, "CNI_ARGS has no K8S_POD_NAMESPACE")
    pod = {
        "namespace": names["K8S_POD_NAMESPACE"],
        "pod": names.get("K8S_POD_NAME", ""),
        "uid": names.get("K8S_POD_UID", ""),
    }
    return {**pod, "port": ports[0], "mac": interfaces[inside[0]]["mac"], "addresses": ips}


def insist_on_own(port: str, name: str) -> None:
    """The port is the other end of this very pod's first interface, and it was bound to no other; raises CniError.

    A result can name any port: this plug-in may stand in a network that somebody wrote who may not bind others' ports.
    """
    import subprocess

    interface = os.environ["CNI_IFNAME"]
    if interface != POD_INTERFACE:
        raise CniError(_CONTENT, f"'{interface}' is not the pod network's interface, which is '{POD_INTERFACE}'")
    words = [f"--net={os.environ.get('CNI_NETNS', '')}", "ip", "-json", "link", "show", "dev", interface]
    done = subprocess.run(
        ["/usr/bin/nsenter", *words], capture_output=True, text=True, timeout=_ASK_SECONDS, check=False
    )
    if done.returncode:
        raise CniError(_CONTENT, f"'{interface}' of the pod cannot be looked at: {done.stderr.strip()}")
    with open(f"/sys/class/net/{port}/ifindex") as stream:
        index = int(stream.read())
    if json.loads(done.stdout)[0].get("link_index") != index:
        raise CniError(_CONTENT, f"port '{port}' is not the other end of the pod's '{interface}'")
    if (bound := _port_of(name)) not in {"", port}:
        raise CniError(_CONTENT, f"'{interface}' of this pod is bound already, by port '{bound}'")


def library(name: str) -> Any:
    """A module of the policy's, loaded where it is needed: DEL needs none."""
    from importlib import import_module

    if LIBRARY not in sys.path:
        sys.path.insert(0, LIBRARY)
    return import_module(f"multicast_policy.{name}")


def _port_of(name: str) -> str:
    """The port of a record; nothing where there is none. Raises CniError where nobody can say which port it is."""
    files, path = library("files"), f"{FOLDER}/ports/{name}"
    try:
        return str(json.loads(files.read_text(path, _REMEDY, _RECORD_BYTES))["port"])
    except FileNotFoundError:
        return ""
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CniError(_CONTENT, f"the record '{path}' cannot be used: {error}; {_REMEDY}") from error


def master(link: str) -> str:
    """The bridge that an interface of the node is a port of, or nothing."""
    try:
        return os.path.basename(os.readlink(f"/sys/class/net/{link}/master"))
    except OSError:
        return ""


def police(port: str, *, look: bool = False) -> None:
    """Give the port its programs, or with `look` see that it has them; raises CniError.

    Where the kernel takes none, the node's unit has said so, and no port has any.
    """
    if os.path.exists(f"{FOLDER}/{REFUSED}"):
        return
    files, hooks = library("files"), library("hooks")
    try:
        kind = hooks.kind_in_use()
        programs = hooks.Programs()
        if not look:
            hooks.attach(kind, [port], hooks.POD, programs)
        elif hooks.without(kind, [port], hooks.POD, programs):
            raise CniError(_LATER, f"port '{port}' has lost the multicast policy's programs")
    except (hooks.HookError, files.Damaged, OSError) as error:
        problem = f"port '{port}' cannot be given the multicast policy's programs: {error}"
        more = "`systemctl status mcastlab-multicast-policy` on the node says more"
        raise CniError(_LATER, f"{problem}; {more}") from error


def check(config: dict[str, Any]) -> None:
    """CHECK: the record is there, and the port has its programs."""
    name = record_name()
    if not os.path.exists(f"{FOLDER}/ports/{name}"):
        raise CniError(_LATER, f"no record '{name}' of this port in '{FOLDER}/ports'")
    found = record(config.get("prevResult", {}), os.environ.get("CNI_ARGS", ""), config.get("bridge", "cni0"))
    police(found["port"], look=True)


def close_port(port: str) -> None:
    """Let the port never become a router's, whatever the pod sends."""
    with open(f"/sys/class/net/{port}/brport/multicast_router", "w") as stream:
        stream.write("0")


def remove(name: str) -> None:
    """Forget a port; well when it is forgotten already. A folder is nobody's record: it stays, and is told."""
    path = f"{FOLDER}/ports/{name}"
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        sys.stderr.write(f"multicast-bind: '{path}' is a folder, which nothing here makes, and stays: remove it\n")
    tell(wait=False)


def collect(config: dict[str, Any]) -> None:
    """GC: forget every port whose attachment the runtime does not name."""
    valid = config.get("cni.dev/valid-attachments")
    if config.get("name") != NETWORK:
        return  # what another network has attached says nothing of ports
    if valid is None or not os.path.isdir(f"{FOLDER}/ports"):
        return
    names = {f"{item['containerID']}@{item['ifname']}" for item in valid}
    for name in sorted(set(os.listdir(f"{FOLDER}/ports")) - names):
        if name[0] != ".":  # another call is writing that one
            remove(name)


def tell(wait: bool) -> bool:
    """Have the agent read the records again, and with `wait` until it has; whether it did."""
    import _socket

    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        sock.settimeout(_WAIT_SECONDS)
        sock.connect(f"{FOLDER}/agent.sock")
        return not wait or sock.recv(3) == b"ok\n"
    except OSError:
        return False
    finally:
        sock.close()


if __name__ == "__main__":
    raise SystemExit(main())
