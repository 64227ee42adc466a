"""What a host was before a lab took it: noted when it is taken, and put back when it is given back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

from .host_holder import FOLDER, MARKER, Refused, node, read

BEFORE = f"{FOLDER}/before.json"

# What roles, kubelet, kube-proxy and CNI plug-ins write, in this order: ip_forward takes others with it.
_NETWORK_SETTINGS = (
    "net/ipv4/ip_forward",
    "net/ipv6/conf/all/forwarding",
    "net/ipv4/conf/all/rp_filter",
    "net/ipv4/conf/default/rp_filter",
    "net/ipv4/igmp_max_memberships",
    "net/bridge/bridge-nf-call-iptables",
    "net/bridge/bridge-nf-call-ip6tables",
    "net/netfilter/nf_conntrack_tcp_timeout_established",
    "net/netfilter/nf_conntrack_tcp_timeout_close_wait",
)
# These belong to the whole kernel: a container has neither changed them nor may it put them back.
_KERNEL_SETTINGS = (
    "net/netfilter/nf_conntrack_max",
    "net/core/rmem_max",
    "net/core/rmem_default",
    "fs/inotify/max_user_instances",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
# Folders that a lab makes on its way to a file; each goes if it was not there and is empty, the deepest first.
_FOLDERS = (
    "/etc/cni/net.d",
    "/etc/cni",
    "/etc/systemd/journald.conf.d",
    "/opt/cni/bin",
    "/opt/cni",
    "/opt/containerd/bin",
    "/opt/containerd/lib",
    "/opt/containerd",
    "/opt/mcastlab",
    "/usr/libexec/kubernetes/kubelet-plugins/volume/exec",
    "/usr/libexec/kubernetes/kubelet-plugins/volume",
    "/usr/libexec/kubernetes/kubelet-plugins",
    "/usr/libexec/kubernetes",
    "/usr/lib/modules",
    "/run/mcastlab",
    "/run/netns",
    "/run/nri",
    "/var/lib/cni/networks",
    "/var/lib/cni/results",
    "/var/lib/cni",
)
# Folders in which CNI plug-ins keep what they gave out, in places named by networks, containers and attachers.
_RECORDS = ("/var/lib/cni/networks", "/var/lib/cni/results", "/var/lib/cni")


def tables():
    """The packet filter's tables, as ["ip nat", …]; none where there is no nft."""
    if shutil.which("nft") is None:
        return []
    done = run("nft", "list", "tables")
    return [line.split(" ", 1)[1] for line in done.stdout.splitlines() if line.startswith("table ")]


def settings():
    """The kernel's settings by their paths below /proc/sys, those that exist and are this host's own."""
    paths = _NETWORK_SETTINGS if node()["in_container"] else _NETWORK_SETTINGS + _KERNEL_SETTINGS
    found = {}
    for path in paths:
        try:
            with open(f"/proc/sys/{path}", encoding="utf-8") as stream:
                found[path] = stream.read().strip()
        except OSError:
            continue
    return found


def claim(lab):
    """Note what there was, then whose the host is: who finds the marker finds the note as well.

    Raises Refused where something else is in the place of the folder or of a file.
    """
    before = {
        "settings": settings(),
        "tables": tables(),
        "folders": [path for path in folders() if os.path.isdir(path)],
        "records": records(),
        "br_netfilter": os.path.exists("/proc/sys/net/bridge"),
    }
    try:
        os.makedirs(FOLDER, mode=0o755, exist_ok=True)
        write(BEFORE, json.dumps(before))
        write(MARKER, lab)
    except OSError as error:
        problem = f"cannot note whose it is: '{error.filename}': {error.strerror}"
        raise Refused(problem, "Remove what is in its place, and try again") from error


def write(path, text):
    """Put the line at `path` in one step; nothing is written through a link."""
    beside = f"{path}.new"
    if os.path.lexists(beside):
        os.unlink(beside)
    with open(beside, "x", encoding="utf-8") as stream:
        stream.write(f"{text}\n")
    os.rename(beside, path)


def release():
    """Put back what `claim` noted, and forget the lab; the marker goes last, so that it can be repeated."""
    before = noted()
    put_back(before["settings"])
    for table in tables():
        if table not in before["tables"] and left_over(table):
            run("nft", "delete", "table", *table.split(" ", 1))
    if not before["br_netfilter"] and not node()["in_container"]:
        run("modprobe", "-r", "br_netfilter")
    for path in records():
        if path not in before["records"]:
            remove_record(path)
    remove_empty([path for path in folders() if path not in before["folders"]])
    for path in (BEFORE, MARKER):
        if os.path.exists(path):
            os.unlink(path)
    remove_empty([FOLDER])


def noted():
    """What `claim` wrote; without it, everything counts as having been there. Refused where nobody can say."""
    try:
        text, wrong = read(BEFORE)
    except FileNotFoundError:
        return {
            "settings": {},
            "tables": tables(),
            "folders": folders(),
            "records": records(),
            "br_netfilter": True,
        }
    if not wrong:
        try:
            before = json.loads(text)
        except (ValueError, RecursionError):
            before = None
        if _is_note(before):
            return before
    raise Refused(
        f"cannot say what it was before the lab: the file '{BEFORE}' {wrong or 'is not what was written into it'}",
        "Remove that file, and try again: what the lab has set on the host then stays as it is",
    )


def _is_note(found):
    """Whether it has the shape of what `claim` writes."""
    try:
        lists = [list(found["settings"].values()), found["tables"], found["folders"], found["records"]]
        flag = found["br_netfilter"]
    except (LookupError, TypeError, AttributeError):
        return False
    texts = all(isinstance(one, list) and all(isinstance(text, str) for text in one) for one in lists)
    return texts and isinstance(flag, bool)


def folders():
    """The folders that a lab may make, and those that Ansible makes in the home of who logs in."""
    home = os.path.expanduser(f"~{os.environ.get('SUDO_USER', 'root')}")
    return [*_FOLDERS, f"{home}/.ansible/tmp", f"{home}/.ansible"]


def records():
    """What lies in the folders of CNI plug-ins, but these themselves."""
    inside = (os.path.join(place, name) for place in _RECORDS if os.path.isdir(place) for name in os.listdir(place))
    return [path for path in inside if path not in _RECORDS]


def remove_record(path):
    """Remove a file, or a folder with all that is in it."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def put_back(earlier):
    """Write each kernel setting that is another one now."""
    now = settings()
    for path, value in earlier.items():
        if now.get(path, value) != value:
            with open(f"/proc/sys/{path}", "w", encoding="utf-8") as stream:
                stream.write(value)


def remove_empty(paths):
    """Remove those folders that are there and have nothing in them."""
    for path in paths:
        if os.path.isdir(path) and not os.listdir(path):
            os.rmdir(path)


def left_over(table):
    """Whether a table is one of iptables' or of CNI's that has no rule any more."""
    family, name = table.split(" ", 1)
    if not (name.startswith("cni_") or (family in ("ip", "ip6") and name in ("nat", "filter", "mangle", "raw"))):
        return False
    listed = run("nft", "-j", "list", "table", family, name)
    return listed.returncode == 0 and not any("rule" in item for item in json.loads(listed.stdout)["nftables"])


def run(*argv):
    """Run a command that may fail."""
    return subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
