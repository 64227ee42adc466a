"""Whose a host is: the lab, cluster or containerd that has it, and what roles must know of its kernel.

The preflight of hosts that exist runs this file alone, by agents/hostprobe."""

from __future__ import annotations

import os
import re
import stat

FOLDER = "/etc/mcastlab"
MARKER = f"{FOLDER}/lab"
_MOST = 1 << 20  # octets of a file of the lab's: names of a few hundred files
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
