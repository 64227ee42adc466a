#!/usr/bin/python
"""Ansible module: take a host that exists for a lab, and give it back as it was."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: host_claim
short_description: Take a host that exists for a lab, and give it back as it was
description:
  - C(claimed) refuses a host that is part of another lab or of any cluster that is not this lab's, looks at its kernel,
    and before the first change notes what a lab changes beyond its own files, to put it back later.
  - C(looked) says whether the lab has the host, and changes nothing.
  - C(released) puts kernel settings back, removes packet filter tables and folders that the lab left empty, and forgets
    the lab. It is the last step of a reset.
options:
  lab:
    description: Name of the lab.
    type: str
    required: true
  carries_pods:
    description: Whether the host becomes a node, which must not have a containerd of its own.
    type: bool
    default: false
  state:
    description: What to do.
    type: str
    choices: [claimed, looked, released]
    default: claimed
author:
  - The mcastlab authors
"""

EXAMPLES = r"""
- name: Take the host
  mcastlab.mcastlab.host_claim:
    lab: mcastlab
"""

RETURN = r"""
held:
  description: Whether the lab had the host before.
  type: bool
  returned: always
node:
  description: What roles must know of the kernel, in_container, cgroup_version (1 or 2), sys_resource and from_image.
  type: dict
  returned: always
"""

import json
import os
import re
import shutil
import stat
import subprocess

FOLDER = "/etc/mcastlab"
MARKER = f"{FOLDER}/lab"
BEFORE = f"{FOLDER}/before.json"
_MOST = 1 << 20  # octets of either: names of a few hundred files
_CAP_SYS_RESOURCE = 24  # capability.h

# A file or folder that only a member of a cluster has, whose it is, and how to leave.
CLUSTERS = (
    ("/etc/rancher/k3s", "k3s", "k3s-uninstall.sh or k3s-agent-uninstall.sh"),
    ("/var/lib/rancher/k3s", "k3s", "k3s-uninstall.sh or k3s-agent-uninstall.sh"),
    ("/etc/rancher/rke2", "RKE2", "rke2-uninstall.sh"),
    ("/var/lib/k0s", "k0s", "k0s reset"),
    ("/var/snap/microk8s", "MicroK8s", "snap remove microk8s"),
    ("/etc/machine-config-daemon", "OpenShift", "nothing but a new installation of the host"),
    ("/etc/kubernetes/kubelet.conf", "kubeadm", "kubeadm reset"),
    ("/etc/kubernetes/admin.conf", "kubeadm", "kubeadm reset"),
    ("/etc/kubernetes/manifests/kube-apiserver.yaml", "kubeadm", "kubeadm reset"),
    ("/var/lib/kubelet/config.yaml", "kubeadm", "kubeadm reset"),
)
# A containerd that is somebody's: ours would take its socket, and its images would go with ours.
RUNTIMES = ("/run/containerd/containerd.sock", "/usr/bin/containerd", "/usr/local/bin/containerd", "/etc/containerd")

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


class Refused(Exception):
    """What this host is or has that keeps the lab from it: the problem, whose subject is the host, and the remedy."""


def read(path):
    """(text, what is wrong) of a file of the lab's; FileNotFoundError or NotADirectoryError where there is none.

    Others may have touched it: nothing waits for it, and what is no plain file of root's is not believed.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        return "", "is a link" if os.path.islink(path) else f"cannot be opened: {error.strerror}"
    about = os.fstat(handle)
    if not stat.S_ISREG(about.st_mode) or about.st_uid not in (0, os.geteuid()):
        os.close(handle)
        if stat.S_ISREG(about.st_mode):
            return "", f"belongs to user {about.st_uid}, not to root"
        return "", "is a folder, not a file" if stat.S_ISDIR(about.st_mode) else "is no plain file"
    with os.fdopen(handle, "rb") as stream:
        content = stream.read(_MOST + 1)
    if len(content) > _MOST:
        return "", f"is longer than {_MOST} octets, as no such file is"
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return "", "is not UTF-8"
    return text, "" if text.endswith("\n") else "is cut off" if text else "is empty"


def lab_here():
    """The lab that has this host, or the empty text; Refused where nobody can say."""
    try:
        text, wrong = read(MARKER)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    if wrong or not text.strip():
        raise Refused(
            f"cannot say which lab has it: the file '{MARKER}' {wrong or 'is empty'}",
            "Write that lab's name and a line break into it, as root's own file, or remove it if no lab has the host",
        )
    return text.strip()


def holds(lab):
    """Whether the lab has this host; no where nobody can say, which `refusals` tells."""
    try:
        return lab_here() == lab
    except Refused:
        return False


def refusals(lab, carries_pods):
    """[(problem, remedy)] of all that another lab, another cluster or another containerd has here."""
    try:
        holder = lab_here()
    except Refused as error:
        return [error.args]
    if holder == lab:
        return []
    if holder:
        remedy = "`mcastlab down --lab FILE` with that lab's file, or take another host"
        return [(f"is a host of lab '{holder}' already", remedy)]
    found = {}
    for path, whose, leave in CLUSTERS:
        if os.path.exists(path) and whose not in found:
            problem = f"is in another cluster already, one of {whose}: it has '{path}'"
            found[whose] = (problem, f"Take another host, or leave that cluster: {leave}")
    if not found and carries_pods and (paths := [path for path in RUNTIMES if os.path.exists(path)]):
        problem = f"has a containerd of its own: '{paths[0]}'"
        found["containerd"] = (problem, "Take another host, or remove it (apt-get purge containerd containerd.io)")
    return list(found.values())


def node():
    """What the roles must know of the kernel under this host."""
    with open("/proc/self/status", encoding="utf-8") as stream:
        bounding = re.search(r"^CapBnd:\s*([0-9a-f]+)", stream.read(), re.MULTILINE)
    contained = any(map(os.path.exists, ("/run/systemd/container", "/run/.containerenv", "/.dockerenv")))
    return {
        "in_container": contained,
        "cgroup_version": 2 if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else 1,
        "sys_resource": bool(bounding and int(bounding[1], 16) >> _CAP_SYS_RESOURCE & 1),
        "from_image": False,
    }


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


def main():
    from ansible.module_utils.basic import AnsibleModule  # here: mcastlab's preflight runs the rest without Ansible

    states = {"type": "str", "choices": ["claimed", "looked", "released"], "default": "claimed"}
    spec = {
        "lab": {"type": "str", "required": True},
        "carries_pods": {"type": "bool", "default": False},
        "state": states,
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    lab, state = module.params["lab"], module.params["state"]
    held = holds(lab)
    found = refusals(lab, module.params["carries_pods"]) if state == "claimed" or os.path.lexists(MARKER) else []
    changed = (state == "claimed" and not held) or (state == "released" and held)
    facts = node()
    if changed and not found and not module.check_mode:
        try:
            claim(lab) if state == "claimed" else release()
        except Refused as error:
            found = [error.args]
    if found:
        lines = [f"This host {problem}. {remedy}." for problem, remedy in found]
        module.fail_json(msg="\n".join(lines), held=held)
    module.exit_json(changed=changed, held=held, node=facts)


if __name__ == "__main__":
    main()
