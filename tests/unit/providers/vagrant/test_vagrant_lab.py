"""The Vagrantfile and the models read the same files: what they make of a lab.yml is the same."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from provision import config
from provision.core.paths import ROOT
from tests.damage import DAMAGE, damage

RUBY = ROOT / "vagrant/lab.rb"
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs/configuration.md").read_text(), re.MULTILINE | re.DOTALL)
LABS = {
    "empty": "",
    "comment": "# nothing\n",
    "second": (ROOT / "tests/golden/second-lab.yml").read_text(),
    "lan-interface": "lan: {interface: mcast0, querier: false}\nvagrant: {machines: docker, cpus: 4}\n",
    "master-of-its-own": """\
networks:
  - {name: one, master: eth1, ipam: {range_start: 10.0.0.20, range_end: 10.0.0.29}}
  - {name: two, cni_version: 1.1.0, ipam: {subnet: 10.0.0.0/24, range_start: 10.0.0.30, range_end: 10.0.0.39}}
""",
    "two-nodes": """\
hosts:
  - {name: k8s, role: control-plane, address: 10.0.0.11, address6: "fd00:10::11"}
  - {name: w1, role: worker, address: 10.0.0.9, address6: "fd00:10::9"}
  - {name: mcastsrc, role: source, address: 10.0.0.12, address6: "fd00:10::12"}
""",
    "yaml-1.1": 'ip_families: [ipv4]\nlan: {snooping: off, subnet6: "fd00:11::/64"}\nchecks: {ttl: 0x10}\n',
    **{f"documentation-{number}": block for number, block in enumerate(BLOCKS)},
}


def ruby(*arguments: str) -> str:
    return subprocess.run(["ruby", *arguments], capture_output=True, text=True, timeout=60, check=True).stdout


def without_nothing(value: Any) -> Any:
    """`value` without keys that have no value: the models have them all, a file need not."""
    if isinstance(value, dict):
        return {key: without_nothing(inner) for key, inner in value.items() if inner is not None}
    return [without_nothing(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", LABS)
def test_ruby_and_the_models_make_the_same_of_a_lab(tmp_path: Path, name: str) -> None:
    path = tmp_path / "lab.yml"
    path.write_text(LABS[name])
    expected = config.load(path).model_dump(mode="json")
    found = json.loads(ruby(str(RUBY), str(path)))
    for made in (expected, found):
        del made["tenants"]  # of the cluster, of which the Vagrantfile makes nothing
    assert without_nothing(found) == without_nothing(expected)


def test_what_mcastlab_hands_to_the_vagrantfile_is_read_back_as_it_was(tmp_path: Path) -> None:
    lab = config.load(ROOT / "tests/golden/second-lab.yml")
    path = tmp_path / "lab.json"
    path.write_text(lab.model_dump_json())
    assert json.loads(ruby(str(RUBY), str(path))) == lab.model_dump(mode="json")


def of_lab(path: Path, expression: str) -> Any:
    program = f"require '{RUBY}'; lab = Mcastlab::Lab.new('{path}'); puts JSON.generate({expression})"
    return json.loads(ruby("-e", program))


def test_addresses_of_hosts_have_the_prefix_of_their_lan(tmp_path: Path) -> None:
    path = tmp_path / "lab.yml"
    path.write_text("")
    assert of_lab(path, "lab.addresses(lab.hosts[0])") == ["10.0.0.11/24", "fd00:10::11/64"]
    assert of_lab(path, "lab.lan_address") == "10.0.0.1"
    path.write_text("ip_families: [ipv4]")
    assert of_lab(path, "lab.addresses(lab.hosts[0])") == ["10.0.0.11/24"]


def test_cards_have_addresses_that_are_local_stable_and_distinct(tmp_path: Path) -> None:
    path = tmp_path / "lab.yml"
    path.write_text("name: one")
    first = of_lab(path, "lab.hosts.map { |host| lab.mac(host) }")
    assert first == of_lab(path, "lab.hosts.map { |host| lab.mac(host) }")
    path.write_text("name: two")
    second = of_lab(path, "lab.hosts.map { |host| lab.mac(host) }")
    assert len({*first, *second}) == 4
    assert all(re.fullmatch(r"02(:[0-9a-f]{2}){5}", mac) for mac in (*first, *second))


MADE = f"""
require '{RUBY}'
require '{ROOT / "vagrant/made.rb"}'
class Mcastlab::Failed < StandardError
  def initialize(extra) = super(extra[:message])
end
begin
  made = Mcastlab::Made.new(Struct.new(:file, :name).new(ARGV[0], 'one'))
  made.pin('k8s', 'ssh-ed25519 AAAA root@k8s')
  puts made['box']
rescue Mcastlab::Failed => e
  puts e.message
end
"""


@pytest.mark.parametrize("kind", [*DAMAGE, "a list"])
def test_what_machines_are_made_from_is_named_when_it_is_damaged(tmp_path: Path, kind: str) -> None:
    """In one sentence and with the remedy, not by a traceback of Ruby's; without the file nothing is made yet."""
    path = tmp_path / ".mcastlab/one/machines.json"
    path.parent.mkdir(parents=True)
    argv = ["-e", MADE, str(tmp_path / "lab.yml")]
    assert ruby(*argv) == "\n"
    path.write_text('{"box": "trixie"}')
    assert ruby(*argv) == "trixie\n"
    path.write_text("[]") if kind == "a list" else damage(path, kind)
    said = ruby(*argv)
    if kind == "of another owner":
        assert said == "trixie\n"
        return
    assert said.startswith(f"{path}: Th")
    assert said.endswith("\n  remedy: Remove it, then run `vagrant up` once more\n")


def test_a_host_key_is_not_pinned_through_a_link(tmp_path: Path) -> None:
    folder = tmp_path / ".mcastlab/one/host_keys"
    folder.mkdir(parents=True)
    (tmp_path / "theirs").write_text("theirs")
    (folder / "k8s.pub").symlink_to(tmp_path / "theirs")
    ruby("-e", MADE, str(tmp_path / "lab.yml"))
    assert (tmp_path / "theirs").read_text() == "theirs"
    assert (folder / "k8s.pub").read_text() == "ssh-ed25519 AAAA\n"
    assert not (folder / "k8s.pub").is_symlink()
