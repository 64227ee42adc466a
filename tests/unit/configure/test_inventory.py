"""The inventory: every variable of the contract, every host in its group, host keys pinned."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from provision import config
from provision.config import Lab
from provision.configure.inventory import inventory, preview, variables
from provision.core.errors import HostError
from provision.core.paths import ROOT
from provision.hosts.facts import NodeFacts
from provision.hosts.machine import Machine, Management
from provision.networks.attacher import Attacher

SECOND = ROOT / "tests/golden/second-lab.yml"
BUNDLE = {"digest": "0123", "images": {"tools": "localhost/mcastlab/tools:1"}}
CHOICE = Attacher("netattach", "a test wants it")
NODE = NodeFacts(in_container=True, from_image=True, cgroup_version=2, sys_resource=True)


def machines(lab: Lab, folder: Path = Path("/lab/.mcastlab/x")) -> list[Machine]:
    return [
        Machine(
            host.name, host.role, f"192.0.2.{number}", 2200 + number, "root", folder / "key", folder / "known_hosts"
        )
        for number, host in enumerate(lab.hosts)
    ]


def whole(lab: Lab) -> dict[str, Any]:
    return inventory(lab, machines(lab), BUNDLE, NODE, CHOICE)


def test_every_host_is_in_its_group_with_its_endpoint() -> None:
    children = whole(config.load(SECOND))["all"]["children"]
    assert list(children["control_plane"]["hosts"]) == ["k8s"]
    assert list(children["sources"]["hosts"]) == ["camera", "microphone"]
    camera = children["sources"]["hosts"]["camera"]
    assert (camera["ansible_host"], camera["ansible_port"], camera["ansible_user"]) == ("192.0.2.1", 2201, "root")
    assert camera["ansible_ssh_private_key_file"] == "/lab/.mcastlab/x/key"
    assert (camera["mcastlab_address"], camera["mcastlab_address6"]) == ("10.1.0.12", "")


def test_addresses_of_both_families_reach_the_hosts() -> None:
    made = whole(config.load(None))["all"]
    assert made["children"]["control_plane"]["hosts"]["k8s"]["mcastlab_address6"] == "fd00:10::11"
    assert made["vars"]["mcastlab_hosts"][1] == {
        "name": "mcastsrc",
        "role": "source",
        "address": "10.0.0.12",
        "address6": "fd00:10::12",
    }


def test_without_ipv6_no_host_has_an_address_of_it(tmp_path: Path) -> None:
    (tmp_path / "lab.yml").write_text("ip_families: [ipv4]\nlan: {subnet6: null}\n")
    made = whole(config.load(tmp_path / "lab.yml"))["all"]
    assert made["vars"]["mcastlab_lan_subnet6"] == ""
    assert {host["address6"] for host in made["vars"]["mcastlab_hosts"]} == {""}


def test_every_variable_that_the_playbooks_use_is_there() -> None:
    used: set[str] = set()
    for path in (ROOT / "playbooks").rglob("*.yml"):
        used |= set(re.findall(r"\bmcastlab_\w+", path.read_text()))
    made = whole(config.load(None))["all"]
    given = set(made["vars"]) | set(made["children"]["control_plane"]["hosts"]["k8s"])
    # Only where the bundle is not mounted into the nodes; the playbook asks whether it is defined.
    # And what site.yml keeps of the cluster, or playbooks/group_vars makes of the inventory.
    kept = {"mcastlab_pod_subnets", "mcastlab_several", "mcastlab_peers_json"}
    assert used - given <= {"mcastlab_bundle_source", "mcastlab_hosts_json", *kept}


def test_the_example_inventory_gives_what_the_playbooks_use() -> None:
    example = ROOT / "playbooks" / "inventory.example"
    given = set(yaml.safe_load((example / "group_vars" / "all.yml").read_text()))
    hosts = (example / "hosts.ini").read_text()
    wanted = set(whole(config.load(None))["all"]["vars"]) | {"mcastlab_bundle_source"}
    assert wanted - given == {"mcastlab_node"}  # the playbooks look at each host
    for name in ("[control_plane]", "[sources]", "mcastlab_address=", "mcastlab_address6="):
        assert name in hosts


def test_hosts_of_the_users_are_looked_at_and_get_the_bundle() -> None:
    lab = config.load(None)
    made = inventory(lab, machines(lab), BUNDLE, {}, CHOICE, "/cache/bundle")["all"]["vars"]
    assert "mcastlab_node" not in made
    assert made["mcastlab_bundle_source"] == "/cache/bundle"


def test_a_host_without_a_key_file_and_with_sudo() -> None:
    lab = config.load(None)
    first, second = machines(lab)
    pair = [dataclasses.replace(first, key_file=None, become=True, user="debian"), second]
    host = inventory(lab, pair, BUNDLE, {}, CHOICE)["all"]["children"]["control_plane"]["hosts"]["k8s"]
    assert host["ansible_become"] is True
    assert "ansible_ssh_private_key_file" not in host
    assert "IdentitiesOnly" not in host["ansible_ssh_common_args"]


def test_it_is_plain_data() -> None:
    made = whole(config.load(None))
    assert json.loads(json.dumps(made)) == made == yaml.safe_load(yaml.safe_dump(made))


@pytest.mark.skipif(shutil.which("ssh") is None, reason="needs ssh, which reads the options here")
@pytest.mark.parametrize("folder", ["/lab/.mcastlab/x", "/my labs/.mcastlab/x", "/100%/a'b/.mcastlab/x"])
def test_ssh_understands_the_options_whatever_the_folder_is_called(folder: str) -> None:
    lab = config.load(None)
    made = inventory(lab, machines(lab, Path(folder)), BUNDLE, NODE, CHOICE)
    options = shlex.split(made["all"]["children"]["sources"]["hosts"]["mcastsrc"]["ansible_ssh_common_args"])
    told = subprocess.run(["ssh", "-G", *options, "host"], capture_output=True, text=True, check=True).stdout
    settings = dict(line.split(" ", 1) for line in told.splitlines() if " " in line)
    assert settings["userknownhostsfile"] in (f"{folder}/known_hosts", f"{folder}/known_hosts".replace("%", "%%"))
    assert (settings["stricthostkeychecking"], settings["identitiesonly"]) == ("true", "yes")


def test_a_host_without_a_machine_is_an_error() -> None:
    lab = config.load(None)
    with pytest.raises(HostError, match="No machine runs for host 'mcastsrc' of lab 'mcastlab'"):
        inventory(lab, machines(lab)[:1], BUNDLE, NODE, CHOICE)


def test_the_preview_has_all_but_the_endpoints() -> None:
    lab = config.load(None)
    full, early = whole(lab)["all"], preview(lab, BUNDLE, NODE, CHOICE)["all"]
    assert early["vars"] == full["vars"]
    assert early["vars"] == {**variables(lab, BUNDLE, NODE, CHOICE), "mcastlab_api_address": "10.0.0.11"}
    assert early["children"]["control_plane"]["hosts"]["k8s"] == {
        "mcastlab_address": "10.0.0.11",
        "mcastlab_address6": "fd00:10::11",
        "mcastlab_management_interface": "eth1",
        "mcastlab_management_address": "10.0.0.11",
        "mcastlab_management_address6": "fd00:10::11",
    }


def test_nodes_have_their_addresses_on_the_management_network_where_there_is_one() -> None:
    lab = config.load(None)
    own = Management("eth0", "10.89.0.11", "fd00:89::b")
    found = [replace(machine, management=own) for machine in machines(lab)]
    made = inventory(lab, found, BUNDLE, NODE, CHOICE)["all"]
    node = made["children"]["control_plane"]["hosts"]["k8s"]
    assert (node["mcastlab_address"], node["mcastlab_management_address"]) == ("10.0.0.11", "10.89.0.11")
    assert (node["mcastlab_management_interface"], node["mcastlab_management_address6"]) == ("eth0", "fd00:89::b")
    assert made["vars"]["mcastlab_api_address"] == "10.89.0.11"


def test_workers_are_a_group_of_their_own() -> None:
    lab = config.load(None)
    worker = lab.control_plane.model_copy(update={"name": "w1", "role": "worker"})
    several = lab.model_copy(update={"hosts": (lab.hosts[1], worker, lab.hosts[0])})
    made = preview(several, BUNDLE, NODE, CHOICE)["all"]
    assert [*made["children"]["workers"]["hosts"]] == ["w1"]
    assert (made["vars"]["mcastlab_control_plane"], made["vars"]["mcastlab_nodes"]) == ("k8s", ["k8s", "w1"])
