"""What a host is and has, as JSON: run as root on a host that is to join a lab, by mcastlab's preflight.

    claim="$(cat ../../plugins/module_utils/host_holder.py)"
    python3 -I -S -c "$(cat hostprobe.py)" "$claim" LAB CARRIES_PODS "$(cat bpfprobe.py)"

Nothing is written. Kernel features are tried in a network namespace that ends with the command; doing so may load the
kernel's modules for them, as the lab would. Standard library only.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

# What a lab does on a host, by what it is called in messages.
LINKS = {
    "macvlan": "ip link add b0 type bridge && ip link add link b0 name m0 type macvlan mode bridge",
    "bridge snooping": "ip link add b0 type bridge mcast_snooping 1 mcast_querier 1 mcast_igmp_version 3",
    "vxlan": "ip link add b0 type bridge && ip link add v0 type vxlan id 42 group 239.255.42.42 dev b0 dstport 4789",
    "nftables": "nft add table ip t",
}
PORTS = {2379: "etcd", 2380: "etcd", 6443: "the API server", 10250: "kubelet"}
FOLDERS = ("/opt", "/var/lib")


def output(*argv: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error; 127 where there is no such command."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    except FileNotFoundError:
        return 127, "", f"{argv[0]}: not found"
    except subprocess.TimeoutExpired:
        return 124, "", f"{argv[0]} did not end within 20 s"
    return done.returncode, done.stdout, done.stderr


def listed(*argv: str) -> list[dict]:
    """What a command prints as a JSON list."""
    return json.loads(output(*argv)[1] or "[]")


def kernel() -> dict[str, str]:
    """For each feature the empty text, or what the kernel said when it was tried."""
    found = {}
    for name, script in LINKS.items():
        if name == "nftables" and shutil.which("nft") is None:  # a role installs it; the kernel's part is asked for
            code, _, error = output("modprobe", "--dry-run", "--quiet", "nf_tables")
            found[name] = "" if code == 0 else error or "neither nft nor a module nf_tables is there"
            continue
        code, _, error = output("unshare", "--net", "sh", "-ec", script)
        found[name] = "" if code == 0 else error.strip() or f"exit code {code}"
    return found


def programs(source: str) -> str:
    """The empty text where the kernel takes programs at interfaces, or what it refused."""
    code, _, error = output("unshare", "--net", sys.executable or "python3", "-I", "-S", "-c", source)
    return "" if code == 0 else error.strip() or f"exit code {code}"


def release() -> dict[str, str]:
    """os-release(5)."""
    lines = Path("/etc/os-release").read_text().splitlines()
    pairs = [line.split("=", 1) for line in lines if "=" in line]
    return {key: value.strip("\"'") for key, value in pairs}


def memory() -> int:
    """Bytes that are available."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) * 1024


def first_line(path: str) -> str:
    """The first line of a file, or the empty text."""
    try:
        return (Path(path).read_text().splitlines() or [""])[0].strip()
    except OSError:
        return ""


def ports() -> dict[str, str]:
    """The ports of a node that are taken, and what they are for."""
    code, text, _ = output("ss", "-Hltn")
    taken = {line.split()[3].rsplit(":", 1)[1] for line in text.splitlines()} if code == 0 else set()
    return {str(port): what for port, what in PORTS.items() if str(port) in taken}


def ruleset() -> dict:
    """nft's rules as JSON, and what iptables-legacy has, which nft does not show."""
    code, text, _ = output("nft", "-j", "list", "ruleset")
    legacy = output("iptables-legacy-save", "-t", "filter")[1] if first_line("/proc/net/ip_tables_names") else ""
    return {"nft": json.loads(text) if code == 0 and text else {}, "legacy_drop": ":FORWARD DROP" in legacy}


def main(claim_source: str, lab: str, carries_pods: bool, bpf_source: str) -> None:
    claim: dict = {"__name__": "host_holder"}
    exec(compile(claim_source, "host_holder.py", "exec"), claim)  # noqa: S102 - the project's own module
    print(
        json.dumps(
            {
                "os": release(),
                "machine": os.uname().machine,
                "systemd": Path("/run/systemd/system").is_dir(),
                "machine_id": first_line("/etc/machine-id"),
                "node": claim["node"](),
                "held": claim["holds"](lab),
                "refusals": claim["refusals"](lab, carries_pods),
                "kernel": kernel(),
                "programs": programs(bpf_source),
                "memory": memory(),
                "disk": {path: shutil.disk_usage(path).free for path in FOLDERS},
                "links": listed("ip", "-j", "-d", "address"),
                "routes": listed("ip", "-4", "-j", "route") + listed("ip", "-6", "-j", "route"),
                "ports": ports(),
                "firewall": ruleset(),
            }
        )
    )


main(sys.argv[1], sys.argv[2], sys.argv[3] == "yes", sys.argv[4])
