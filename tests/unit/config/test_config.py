"""lab.yml: what an empty one gives, what is laid over it, what its files promise; bad ones are in tests/errors/."""

from __future__ import annotations

import json
import os
import re
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from provision import config
from provision.config import Lab
from provision.config.load import DEFAULTS_FILE, defaults
from provision.config.rules_subnets import MANAGEMENT
from provision.config.schema import schema, text
from provision.core.errors import InputError, Problems
from provision.core.paths import ROOT
from provision.providers.podman import settings as podman_host
from tests.golden_files import compare

SECOND = ROOT / "tests/golden/second-lab.yml"
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs/configuration.md").read_text(), re.MULTILINE | re.DOTALL)


def load(folder: Path, content: str) -> Lab:
    path = folder / "lab.yml"
    path.write_text(content)
    return config.load(path)


def complaint(folder: Path, content: str) -> str:
    with pytest.raises((Problems, InputError)) as caught:
        load(folder, content)
    return str(caught.value)


def test_nothing_gives_the_spectric_lab(tmp_path: Path) -> None:
    lab = config.load(None)
    hosts = [(host.name, host.role, str(host.address)) for host in lab.hosts]
    assert hosts == [("k8s", "control-plane", "10.0.0.11"), ("mcastsrc", "source", "10.0.0.12")]
    (network,) = lab.networks
    assert (network.name, network.type, network.mode, network.master) == (
        "eth1-multicast",
        "macvlan",
        "bridge",
        "eth1",
    )
    assert (network.namespaces, network.cni_version) == (("default",), "0.3.0")
    ipam = [str(value) for value in (network.ipam.subnet, network.ipam.range_start, network.ipam.range_end)]
    assert ipam == ["10.0.0.0/24", "10.0.0.13", "10.0.0.254"]
    assert str(lab.multicast.group) == "224.0.67.67"


@pytest.mark.parametrize("content", ["", "\n", "# only a comment\n", "---\n", "{}\n", "\ufeff"])
def test_an_empty_file_gives_what_no_file_gives(tmp_path: Path, content: str) -> None:
    assert load(tmp_path, content) == config.load(None)


def test_the_lab_file_of_the_checkout_is_empty_and_names_its_schema() -> None:
    assert config.load(ROOT / "lab.yml") == config.load(None)
    assert (ROOT / "lab.yml").read_text().startswith("# yaml-language-server: $schema=docs/lab.schema.json\n")


def test_the_examples_in_the_comments_of_lab_yml_are_right(tmp_path: Path) -> None:
    lines = re.findall(r"^#   (\w+: .*)$", (ROOT / "lab.yml").read_text(), re.MULTILINE)
    assert len(lines) == 4
    assert load(tmp_path, "\n".join(lines)).lan.querier is False


def test_a_missing_file_is_the_default_lab_only_under_the_default_name(tmp_path: Path) -> None:
    assert config.load(tmp_path / "lab.yml") == config.load(None)
    with pytest.raises(InputError, match=r"second\.yml: The file does not exist"):
        config.load(tmp_path / "second.yml")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for odd in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(InputError, match=f"{odd}: This is no file\n  remedy: Name the file that describes the lab"):
            config.load(odd)
    path = tmp_path / "lab.yml"
    path.write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(InputError, match=r"lab\.yml: The file is longer than a lab's description can be \(1 MiB\)"):
        config.load(path)
    path.write_bytes(b"name: one\n# caf\xe9\n")
    with pytest.raises(InputError, match=r"lab\.yml:2: The file is not UTF-8 text"):
        config.load(path)
    path.write_bytes(b"name: \x01\n")
    with pytest.raises(InputError, match="special characters are not allowed"):
        config.load(path)


def test_mappings_are_merged_and_lists_are_replaced(tmp_path: Path) -> None:
    lab = load(tmp_path, "lan: {querier: false}\nchecks: {threshold_percent: 90}\nip_families: [ipv4]\n")
    assert (lab.lan.querier, lab.lan.snooping, lab.lan.interface) == (False, True, "eth1")
    assert (lab.checks.threshold_percent, lab.checks.ttl) == (90.0, 5)
    assert (lab.ip_families, lab.dual_stack) == (("ipv4",), False)


def test_items_have_defaults_and_networks_follow_the_lan() -> None:
    lab = config.load(SECOND)
    video, audio = lab.networks
    assert {network.master for network in lab.networks} == {"mcast0"}
    assert {network.ipam.subnet for network in lab.networks} == {IPv4Network("10.1.0.0/24")}
    assert (video.type, video.mode, video.ipam.type, video.cni_version) == ("macvlan", "bridge", "host-local", "0.3.0")
    assert (audio.cni_version, audio.namespaces) == ("1.1.0", ("studio",))


NODES = """\
hosts:
  - {name: k8s, role: control-plane, address: 10.0.0.11, address6: "fd00:10::11"}
  - {name: mcastsrc, role: source, address: 10.0.0.12, address6: "fd00:10::12"}
  - {name: w1, role: worker, address: 10.0.0.9, address6: "fd00:10::9"}
"""


def test_nodes_that_are_several_count_addresses_together(tmp_path: Path) -> None:
    assert load(tmp_path, NODES).networks[0].ipam.type == "whereabouts"
    own = "networks: [{name: lan, ipam: {type: host-local, range_start: 10.0.0.20, range_end: 10.0.0.29}}]\n"
    assert load(tmp_path, NODES + own).networks[0].ipam.type == "host-local", "what the file says holds"
    assert load(tmp_path, own.replace("host-local", "whereabouts")).networks[0].ipam.type == "whereabouts"


def test_helpers() -> None:
    lab = config.load(SECOND)
    assert lab.control_plane.name == "k8s"
    assert [host.name for host in lab.sources] == ["camera", "microphone"]
    assert str(lab.host("camera").address) == "10.1.0.12"
    assert config.load(None).dual_stack
    with pytest.raises(InputError, match=r"Host 'k9s' is not in lab 'second'\n.*'k8s', 'camera', 'microphone'"):
        lab.host("k9s")


def test_a_lab_is_frozen() -> None:
    lab = config.load(None)
    with pytest.raises(ValidationError):
        lab.name = "other"
    with pytest.raises(ValidationError):
        lab.lan.querier = False


def test_anchors_and_merge_keys_work(tmp_path: Path) -> None:
    lab = load(
        tmp_path,
        """\
hosts:
  - &first {name: k8s, role: control-plane, address: 10.0.0.11, address6: "fd00:10::11"}
  - {<<: *first, name: mcastsrc, role: source, address: 10.0.0.12, address6: "fd00:10::12"}
""",
    )
    assert lab == config.load(None)


@pytest.mark.parametrize("content", ["name: &a [*a]\n", "&a a: *a\n", "[" * 5000, "lan: &l\n  querier: *l\n"])
def test_yaml_that_refers_to_itself_or_has_no_end_is_an_answer_and_no_crash(tmp_path: Path, content: str) -> None:
    assert "lab.yml" in complaint(tmp_path, content)


@pytest.mark.parametrize("content", ["null: 1\n", "true: 1\n", "1.5: 1\n", "2026-01-01: 1\n", "? {a: b}\n: 1\n"])
def test_keys_that_are_no_text_are_an_answer_and_no_crash(tmp_path: Path, content: str) -> None:
    assert "lab.yml" in complaint(tmp_path, content)


@pytest.mark.parametrize("path", [("name",), ("hosts",), ("hosts", 0), ("networks", 0, "ipam"), ("lan", "subnet")])
@pytest.mark.parametrize("value", [None, True, 7, 0.5, "", "\n", "x", [], [None], {}, {"a": 1}])
def test_any_value_anywhere_is_a_lab_or_an_answer(tmp_path: Path, path: tuple[Any, ...], value: object) -> None:
    data: Any = defaults()
    parent = data
    for part in path[:-1]:
        parent = parent[part]
    parent[path[-1]] = value
    try:
        load(tmp_path, yaml.safe_dump(data))
    except Problems as problems:
        assert problems.exit_code == 2
        assert all(re.search(r"lab\.yml:\d+: ", str(problem)) for problem in problems.problems)


def test_what_is_wrong_in_itself_does_not_hide_what_is_wrong_between_values(tmp_path: Path) -> None:
    told = complaint(tmp_path, "nmae: x\ncluster: {pod_subnet: 10.0.0.0/16}\nchecks: {ttl: 0}\n")
    assert "'nmae' is not known" in told
    assert "lan.subnet 10.0.0.0/24 and cluster.pod_subnet 10.0.0.0/16 overlap" in told
    assert "Value 0 of 'ttl'" in told


def test_a_default_that_was_put_in_place_of_a_wrong_value_is_not_blamed(tmp_path: Path) -> None:
    told = complaint(tmp_path, "lan: {subnet: 10.0.0.5/24}\ncluster: {pod_subnet: 10.0.0.0/16}\n")
    place = f"{tmp_path}/lab.yml:1: lan.subnet"
    assert told == f"{place}: '10.0.0.5/24' is an address in a subnet; the subnet itself is 10.0.0.0/24"


def test_ipv6_is_not_judged_where_it_is_off(tmp_path: Path) -> None:
    off = 'ip_families: [ipv4]\nlan: {subnet6: "fd00:10:244::/64"}\n'
    assert load(tmp_path, off).lan.subnet6 is not None
    assert "overlap" in complaint(tmp_path, off.replace("[ipv4]", "[ipv4, ipv6]"))


def test_the_schema_in_docs_is_that_of_the_models() -> None:
    compare(text(), ROOT / "docs/lab.schema.json")


@pytest.mark.parametrize("content", ["", DEFAULTS_FILE.read_text(), SECOND.read_text(), *BLOCKS])
def test_the_schema_accepts_good_labs(content: str) -> None:
    data = yaml.safe_load(content)
    if data:
        data.pop("item_defaults", None)
    Draft202012Validator(schema()).validate(data)


@pytest.mark.parametrize("name", ["unknown-keys", "missing-keys", "names", "wrong-kinds", "numbers-out-of-range"])
def test_the_schema_refuses_what_an_editor_can_see(name: str) -> None:
    data = yaml.safe_load((ROOT / f"tests/errors/{name}.yml").read_text())
    data.pop(1, None)
    assert not Draft202012Validator(schema()).is_valid(data)


def keys(value: Any, prefix: str = "") -> set[str]:
    """The keys under `value` as docs/configuration.md writes them: lan.subnet, hosts[].name."""
    if isinstance(value, list):
        return keys(value[0], f"{prefix}[]") if value and isinstance(value[0], dict) else set()
    if not isinstance(value, dict):
        return set()
    found = set()
    for key, inner in value.items():
        path = f"{prefix}.{key}" if prefix else key
        below = keys(inner, path)
        found |= below or {path}
    return found


def test_the_documentation_has_every_key_and_no_other() -> None:
    page = (ROOT / "docs/configuration.md").read_text()
    assert set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)) == keys(defaults())


@pytest.mark.parametrize("block", BLOCKS)
def test_the_examples_in_the_documentation_are_right(tmp_path: Path, block: str) -> None:
    load(tmp_path, block)


def test_the_second_lab_of_the_documentation_can_be_up_beside_the_first(tmp_path: Path) -> None:
    page = (ROOT / "docs/configuration.md").read_text()
    chapter = page.split("## A second lab", 1)[1]
    second, first = load(tmp_path, chapter.split("```yaml\n", 1)[1].split("```", 1)[0]), config.load(None)
    assert second.name != first.name
    assert not second.lan.subnet.overlaps(first.lan.subnet)
    assert second.lan.subnet6 and first.lan.subnet6 and not second.lan.subnet6.overlaps(first.lan.subnet6)


def test_the_management_subnets_are_those_of_the_provider() -> None:
    assert f'"base" = "{MANAGEMENT}"' in Path(podman_host.__file__).read_text()


def test_the_schema_is_json_that_editors_know() -> None:
    assert json.loads(text())["$schema"] == "https://json-schema.org/draft/2020-12/schema"
