"""The Ansible module host_claim, in namespaces that are its host: what it takes, refuses and gives back."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from plugins.module_utils import host_before, host_holder
from tests.damage import DAMAGE, SAID, damage
from tests.own_modules import program

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a mount namespace of its own")


def on_a_host(script: str) -> list[dict[str, object]]:
    """Run `script` where the folders that the module looks into are empty; the results of its `claim STATE [LAB]`."""
    with tempfile.TemporaryDirectory() as folder:
        for lab, state in itertools.product(("one", "two"), ("claimed", "looked", "released")):
            sent = program("host_claim", {"lab": lab, "state": state, "carries_pods": True})
            (Path(folder) / f"{state}-{lab}.py").write_text(sent)
        setup = f"""
set -e
for folder in /opt /run /var/lib; do mount -t tmpfs none $folder; done
mkdir /run/etc && cp -a /etc/passwd /etc/group /etc/nsswitch.conf /run/etc/
mount --bind /run/etc /etc
claim() {{
  {sys.executable} -I - <"{folder}/$1-${{2:-one}}.py"
}}
"""
        argv = ["unshare", "--mount", "--net", "sh", "-c", setup + script]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_a_host_is_taken_once_and_given_back_once() -> None:
    results = on_a_host("claim looked; claim claimed; claim claimed; claim looked; claim released; claim released")
    assert [(result["changed"], result["held"]) for result in results] == [
        (False, False),
        (True, False),
        (False, True),
        (False, True),
        (True, True),
        (False, False),
    ]
    assert set(results[0]["node"]) == {"in_container", "cgroup_version", "sys_resource", "from_image"}


def test_settings_tables_and_folders_are_put_back_and_what_is_not_ours_stays() -> None:
    (first, *_rest, state) = on_a_host(
        """
mkdir -p /opt/cni/bin /var/lib/cni/networks/podman
nft add table ip mine
before=$(cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/all/rp_filter)
claim claimed
mkdir -p /etc/cni/net.d /opt/mcastlab /var/lib/cni/networks/eth1-multicast /var/lib/cni/netattach
touch /opt/cni/bin/theirs /var/lib/cni/networks/eth1-multicast/lock
echo 1 > /proc/sys/net/ipv4/ip_forward; echo 2 > /proc/sys/net/ipv4/conf/all/rp_filter
nft add table ip nat; nft add table ip6 filter; nft add chain ip6 filter INPUT; nft add rule ip6 filter INPUT accept
claim released
after=$(cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/all/rp_filter)
same=false; [ "$before" = "$after" ] && same=true
left=$(find /etc/cni /etc/mcastlab /opt /var/lib/cni 2>/dev/null | sort | tr '\\n' ' ')
echo "{\\"same\\": $same, \\"left\\": \\"$left\\", \\"tables\\": \\"$(nft list tables | tr '\\n' ' ')\\"}"
"""
    )
    assert first["changed"] is True
    assert state["same"] is True
    places = "/opt /opt/cni /opt/cni/bin /opt/cni/bin/theirs /var/lib/cni /var/lib/cni/networks"
    assert state["left"] == f"{places} /var/lib/cni/networks/podman "
    assert state["tables"] == "table ip mine table ip6 filter "  # one has a rule, which somebody will miss


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (
            "mkdir /etc/kubernetes; touch /etc/kubernetes/kubelet.conf",
            "This host is in another cluster already, one of kubeadm: it has '/etc/kubernetes/kubelet.conf'."
            " Take another host, or leave that cluster: kubeadm reset.",
        ),
        (
            "mkdir -p /var/lib/rancher/k3s",
            "This host is in another cluster already, one of k3s: it has '/var/lib/rancher/k3s'."
            " Take another host, or leave that cluster: k3s-uninstall.sh or k3s-agent-uninstall.sh.",
        ),
        (
            "mkdir /run/containerd; touch /run/containerd/containerd.sock",
            "This host has a containerd of its own: '/run/containerd/containerd.sock'."
            " Take another host, or remove it (apt-get purge containerd containerd.io).",
        ),
        (
            "claim claimed two",
            "This host is a host of lab 'two' already. `mcastlab down --lab FILE` with that lab's file, or take another"
            " host.",
        ),
    ],
)
def test_a_host_that_is_somebodys_is_refused_and_left_as_it_was(before: str, said: str) -> None:
    untouched = "[ ! -e /etc/mcastlab/lab ] || grep -q two /etc/mcastlab/lab"
    *_, refused, state = on_a_host(f"{before}; claim claimed; {untouched} && echo '{{\"left\": 1}}'")
    assert refused["failed"] is True
    assert refused["msg"] == said
    assert state == {"left": 1}


def test_what_a_lab_has_made_does_not_count_against_it() -> None:
    *_, again = on_a_host("claim claimed; mkdir /etc/kubernetes; touch /etc/kubernetes/admin.conf; claim claimed")
    assert (again["changed"], again["held"]) == (False, True)


TELLS = {"a link": "is a link", "a link to nothing": "is a link",
         "a FIFO": "is no plain file", "100 MB": "is longer than",
         "not UTF-8": "is not UTF-8", "cut off": "is cut off"}  # fmt: skip


@pytest.fixture
def taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the files of a host that lab 'one' has taken."""
    for module in (host_holder, host_before):
        monkeypatch.setattr(module, "FOLDER", str(tmp_path))
        monkeypatch.setattr(module, "MARKER", str(tmp_path / "lab"))
    monkeypatch.setattr(host_before, "BEFORE", str(tmp_path / "before.json"))
    host_before.claim("one")
    assert (host_holder.lab_here(), host_holder.refusals("one", True)) == ("one", [])
    return tmp_path


@pytest.mark.parametrize("kind", DAMAGE)
def test_whose_a_host_is_is_not_guessed_from_a_damaged_marker(taken: Path, kind: str) -> None:
    damage(taken / "lab", kind)
    for lab in ("one", "two"):
        assert not host_holder.holds(lab)
        ((problem, remedy),) = host_holder.refusals(lab, carries_pods=True)
        told = f"the file '{taken / 'lab'}' {TELLS.get(kind, SAID[kind])}"
        assert problem.startswith(f"cannot say which lab has it: {told}")
        assert remedy.startswith("Write that lab's name and a line break into it, as root's own file, or remove it")


@pytest.mark.parametrize("kind", [*DAMAGE, "a list", "of another shape"])
def test_nothing_is_put_back_from_a_damaged_note(taken: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = taken / "before.json"
    others = {"a list": "[]\n", "of another shape": '{"settings": {}, "records": []}\n'}
    path.write_text(others[kind]) if kind in others else damage(path, kind)
    for name in ("put_back", "run", "remove_record", "remove_empty"):
        monkeypatch.setattr(host_before, name, pytest.fail)
    with pytest.raises(host_holder.Refused) as caught:
        host_before.release()
    problem, remedy = caught.value.args
    told = "is not what was written into it" if kind in others else TELLS.get(kind, SAID[kind])
    assert problem.startswith(f"cannot say what it was before the lab: the file '{path}' {told}")
    assert remedy.startswith("Remove that file, and try again")
    assert host_holder.lab_here() == "one", "so that it can be tried again"


def test_a_damaged_host_is_neither_taken_nor_given_back_and_mended_it_is() -> None:
    _, *refused, state, kept, released, left = on_a_host(
        """
claim claimed
mkdir -p /var/lib/cni/networks/podman
mv /etc/mcastlab/lab /run/lab; mkfifo /etc/mcastlab/lab
for state in claimed looked released; do claim $state; done
echo "{\\"left\\": \\"$(ls /etc/mcastlab | tr '\\n' ' ')\\"}"
mv /run/lab /etc/mcastlab/lab; : >/etc/mcastlab/before.json
claim released
rm /etc/mcastlab/before.json
claim released
echo "{\\"left\\": \\"$(ls -d /etc/mcastlab /var/lib/cni/networks/podman 2>/dev/null)\\"}"
"""
    )
    said = "This host cannot say which lab has it: the file '/etc/mcastlab/lab' is no plain file. Write that lab's name"
    assert [str(result["msg"])[: len(said)] for result in refused] == [said] * 3
    assert state == {"left": "before.json lab "}
    assert "the file '/etc/mcastlab/before.json' is empty. Remove that file, and try again" in str(kept["msg"])
    assert released["changed"] is True
    assert left == {"left": "/var/lib/cni/networks/podman"}, "what cannot be told from others' stays"


@pytest.mark.parametrize("place", ["touch /etc/mcastlab", "mkdir -p /etc/mcastlab/lab.new/x"])
def test_what_is_in_the_place_of_its_files_is_named(place: str) -> None:
    (refused,) = on_a_host(f"{place}; claim claimed; [ ! -e /etc/mcastlab/lab ]")
    assert str(refused["msg"]).startswith("This host cannot note whose it is: '/etc/mcastlab")
    assert ". Remove what is in its place, and try again." in str(refused["msg"])


def test_nothing_is_written_through_a_link() -> None:
    taken, state = on_a_host(
        """
mkdir /etc/mcastlab; echo theirs > /run/theirs; ln -s /run/theirs /etc/mcastlab/lab.new
claim claimed
echo "{\\"theirs\\": \\"$(cat /run/theirs)\\"}"
"""
    )
    assert taken["changed"] is True
    assert state == {"theirs": "theirs"}
