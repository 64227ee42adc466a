"""What stops `up --provider vagrant` before anything is changed: each with its exact message, on a PATH of its own.

Programs that are too old or broken are put in place of the real ones; all else is this machine's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.providers.podman.test_podman_preflight import path_without

MCASTLAB = Path(sys.executable).parent / "mcastlab"
LAB = """\
name: vagrant-preflight
hosts:
  - {name: k8s, role: control-plane, address: 10.98.78.11, address6: "fd00:98:78::11"}
  - {name: mcastsrc, role: source, address: 10.98.78.12, address6: "fd00:98:78::12"}
lan: {subnet: 10.98.78.0/24, subnet6: "fd00:98:78::/64"}
networks:
  - name: eth1-multicast
    ipam: {range_start: 10.98.78.13, range_end: 10.98.78.254}
"""
OTHERS = ("VBoxManage", "virsh", "docker", "podman")


def up(folder: Path, path: str, more: str = "") -> str:
    """What `mcastlab up --provider vagrant` says and that it ends with 3; nothing is left in the lab's folder."""
    (folder / "lab.yml").write_text(LAB + more)
    done = subprocess.run(
        [MCASTLAB, "up", "--provider", "vagrant"],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert not [file.name for file in (folder / ".mcastlab/vagrant-preflight").iterdir() if file.name != "lock"]
    return done.stderr


def put(path: str, name: str, script: str) -> None:
    """Put a program of the test's own on the PATH."""
    file = Path(path) / name
    file.unlink(missing_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_vagrant_absent(tmp_path: Path) -> None:
    shown = up(tmp_path, path_without(tmp_path, "vagrant"))
    assert (
        "Command 'vagrant' is missing\n  remedy: `apt-get install vagrant`, or install it from its makers\n"
    ) in shown


def test_vagrant_too_old(tmp_path: Path) -> None:
    path = path_without(tmp_path, "vagrant")
    put(path, "vagrant", "echo 'Vagrant 2.2.19'")
    assert (
        "Vagrant 2.2.19 is too old: the Vagrantfile needs 2.3.0\n"
        "  remedy: `apt-get install vagrant` brings Debian's; or take a newer one from its makers\n"
    ) in up(tmp_path, path)


def test_no_provider_that_works(tmp_path: Path) -> None:
    shown = up(tmp_path, path_without(tmp_path, *OTHERS))
    assert (
        "Vagrant has no provider here that works\n"
        "  | libvirt: Command 'virsh' is missing\n"
        "  | virtualbox: Command 'VBoxManage' is missing\n"
        "  | docker: Docker does not answer, and command 'podman' is missing\n"
        "  remedy: Install libvirt by `apt-get install dnsmasq-base libvirt-clients"
        " libvirt-daemon-system qemu-system-x86 vagrant-libvirt`, and run libvirtd;"
        " or install VirtualBox from its makers; or install Podman by `apt-get install podman`;"
        " or take `provider: podman`\n"
    ) in shown


def test_the_provider_that_lab_yml_asks_for_is_absent(tmp_path: Path) -> None:
    shown = up(tmp_path, path_without(tmp_path, "VBoxManage"), "vagrant: {machines: virtualbox}\n")
    assert (
        "vagrant.machines: lab.yml asks Vagrant for 'virtualbox', which cannot be used here:"
        " Command 'VBoxManage' is missing\n"
        "  remedy: Install VirtualBox from its makers; or `machines: auto`\n"
    ) in shown


def test_what_a_broken_provider_says_is_passed_on(tmp_path: Path) -> None:
    path = path_without(tmp_path, *OTHERS)
    put(path, "VBoxManage", "echo 'WARNING: The vboxdrv kernel module is not loaded.' >&2; exit 1")
    shown = up(tmp_path, path, "vagrant: {machines: virtualbox}\n")
    assert (
        "which cannot be used here: 'VBoxManage list systemproperties' failed\n"
        "  | WARNING: The vboxdrv kernel module is not loaded.\n"
    ) in shown


def up_with_libvirt(tmp_path: Path, plugins: str) -> str:
    """What `up` shows where libvirt is here, and Vagrant lists these plug-ins."""
    path = path_without(tmp_path, "vagrant", *OTHERS)
    put(path, "vagrant", f"[ $1 = --version ] && echo 'Vagrant 2.3.4' || echo '{plugins}'")
    put(path, "virsh", "exit 0")
    put(path, "qemu-system-x86_64", "exit 0")
    return up(tmp_path, path, "vagrant: {machines: libvirt}\n")


@pytest.mark.parametrize("plugins", ["No plugins installed.", "vagrant-share (2.0.0, global)"])
def test_the_libvirt_plugin_is_absent(tmp_path: Path, plugins: str) -> None:
    shown = up_with_libvirt(tmp_path, plugins)
    assert (
        "vagrant.machines: lab.yml asks Vagrant for 'libvirt', which cannot be used here:"
        " Vagrant's plug-in 'vagrant-libvirt' is missing\n"
        "  remedy: Install libvirt by `apt-get install dnsmasq-base libvirt-clients"
        " libvirt-daemon-system qemu-system-x86 vagrant-libvirt`, and run libvirtd; or `machines: auto`\n"
    ) in shown


def test_the_libvirt_plugin_is_too_old(tmp_path: Path) -> None:
    shown = up_with_libvirt(tmp_path, "vagrant-libvirt (0.7.0, system)")
    assert (
        "Vagrant's plug-in 'vagrant-libvirt' 0.7.0 is too old: 0.11.2 is needed\n"
        "  remedy: `vagrant plugin update vagrant-libvirt`, or `apt-get install vagrant-libvirt` for Debian's\n"
    ) in shown


def test_less_memory_than_the_machines_have(tmp_path: Path) -> None:
    path = path_without(tmp_path, *OTHERS)
    put(path, "VBoxManage", "exit 0")
    shown = up(tmp_path, path, "vagrant: {machines: virtualbox, memory_mib: 1048576}\n")
    assert "GiB of memory are available, the lab's 2 machines have 2048.0\n  remedy: End something" in shown
