"""Rendering: the seed's own values, nothing injected, and errors that name template, line and variable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from provision import config
from provision.cluster import manifests
from provision.cluster.api import NetworkAttachment
from provision.commands import render
from provision.configure.kubeadm import kubeadm
from provision.core import templating
from provision.core.errors import HostError, InputError
from provision.core.paths import ROOT
from provision.hosts.facts import NodeFacts
from provision.networks.attacher import Attacher
from provision.networks.manifests import back_at_host_local, namespaces, networks

ADMISSION = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
NODE = NodeFacts(in_container=True, from_image=True, cgroup_version=2, sys_resource=True)
ATTACHER = Attacher("netattach", "a test wants it")
# The configuration of the NetworkAttachmentDefinition in the walk-through (seed 001).
SEED_NAD = """{
      "cniVersion": "0.3.0",
      "type": "macvlan",
      "master": "eth1",
      "mode": "bridge",
      "ipam": {
        "type": "host-local",
        "subnet": "10.0.0.0/24",
        "rangeStart": "10.0.0.13",
        "rangeEnd": "10.0.0.254"
      }
    }"""


def test_the_network_is_the_seeds() -> None:
    (nad,) = networks(config.load(None))
    assert (nad["apiVersion"], nad["kind"]) == ("k8s.cni.cncf.io/v1", "NetworkAttachmentDefinition")
    assert (nad["metadata"]["name"], nad["metadata"]["namespace"]) == ("eth1-multicast", "default")
    assert list(json.loads(nad["spec"]["config"]).items()) == list(json.loads(SEED_NAD).items())


@pytest.mark.parametrize("memberships", ["", ", memberships: 60"])
def test_a_network_whose_addresses_nodes_count_together(tmp_path: Path, memberships: str) -> None:
    path = tmp_path / "lab.yml"
    ipam = "{type: whereabouts, range_start: 10.0.0.20, range_end: 10.0.0.29}"
    path.write_text(f"networks: [{{name: lan, cni_version: 1.0.0, ipam: {ipam}{memberships}}}]")
    (nad,) = networks(config.load(path))
    made = json.loads(nad["spec"]["config"])
    wanted = {"type": "whereabouts", "range": "10.0.0.0/24", "range_start": "10.0.0.20", "range_end": "10.0.0.29"}
    assert (made["plugins"][0] if memberships else made)["ipam"] == wanted
    assert made["disableCheck"] is True, "whereabouts fails every CHECK"


def test_networks_that_go_back_to_host_local_are_found() -> None:
    lab = config.load(None)
    shared, own = '{"ipam": {"type": "whereabouts"}}', '{"ipam": {"type": "host-local"}}'
    there = [NetworkAttachment("default", "eth1-multicast", shared), NetworkAttachment("default", "other", shared)]
    assert back_at_host_local(lab, there) == ["default/eth1-multicast"]
    assert back_at_host_local(lab, [NetworkAttachment("default", "eth1-multicast", own)]) == []


def test_the_pod_is_the_seeds() -> None:
    pod = render.receiver(config.load(None), "localhost/mcastlab/tools:1")
    assert pod["metadata"]["name"] == "multicast-example"
    assert pod["metadata"]["annotations"] == {"k8s.v1.cni.cncf.io/networks": "eth1-multicast@eth1"}
    (container,) = pod["spec"]["containers"]
    assert container["name"] == "example-multicast-pod"
    assert container["command"] == ["iperf", "-s", "-u", "-B", "224.0.67.67%eth1", "-i", "1"]
    assert container["image"] == "localhost/mcastlab/tools:1"


def test_a_network_is_in_each_of_its_namespaces() -> None:
    lab = config.load(ROOT / "tests/golden/second-lab.yml")
    places = [(nad["metadata"]["namespace"], nad["metadata"]["name"]) for nad in networks(lab)]
    assert places == [("studio", "video"), ("default", "video"), ("studio", "audio")]
    assert [item["metadata"]["name"] for item in namespaces(lab)] == ["studio"]
    assert namespaces(config.load(None)) == []


@pytest.mark.parametrize(
    "nasty",
    [
        "'",
        '"',
        '"\n- evil: yes',
        "{{ 7 * 7 }}",
        "{% for %}",
        "a: b # c",
        "\\",
        "\t",
        "é",
        "<&>",
        "null",
        "0x10",
        "\u2028",
    ],
)
def test_no_value_gets_out_of_its_place(nasty: str) -> None:
    pod = manifests.pod("one", nasty, ["sh", "-c", nasty], labels={"key": nasty}, networks=nasty, node=nasty)
    (container,) = pod["spec"]["containers"]
    assert (container["image"], container["command"]) == (nasty, ["sh", "-c", nasty])
    assert pod["metadata"]["labels"] == {"app.kubernetes.io/part-of": "mcastlab", "key": nasty}
    assert pod["metadata"]["annotations"] == {"k8s.v1.cni.cncf.io/networks": nasty}
    assert pod["spec"]["nodeName"] == nasty


def test_a_pod_has_no_rights_unless_it_asks() -> None:
    pod = manifests.pod("one", "image", ["true"])
    spec, rights = pod["spec"], pod["spec"]["containers"][0]["securityContext"]
    assert rights == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (spec["automountServiceAccountToken"], spec["hostNetwork"]) == (False, False)
    assert "annotations" not in pod["metadata"] and "nodeName" not in spec
    asking = manifests.pod("one", "image", ["true"], capabilities=["NET_RAW", "NET_ADMIN"])
    capabilities = asking["spec"]["containers"][0]["securityContext"]["capabilities"]
    assert capabilities == {"drop": ["ALL"], "add": ["NET_RAW", "NET_ADMIN"]}
    assert asking["spec"]["securityContext"]["runAsUser"] == 0


def test_kubeadm_gets_what_the_playbook_would_give() -> None:
    lab, bundle = config.load(None), render.before_it_is_made()
    documents = list(yaml.safe_load_all(kubeadm(lab, bundle, NODE, ATTACHER)))
    assert [item["kind"] for item in documents] == [
        "InitConfiguration",
        "ClusterConfiguration",
        "KubeletConfiguration",
        "KubeProxyConfiguration",
    ]
    assert documents[0]["localAPIEndpoint"]["advertiseAddress"] == "10.0.0.11"
    assert documents[1]["kubernetesVersion"] == bundle["kubernetes_version"]


def test_a_lab_named_by_digits_stays_text(tmp_path: Path) -> None:
    (tmp_path / "lab.yml").write_text("name: '007'\n")
    lab = config.load(tmp_path / "lab.yml")
    cluster = list(yaml.safe_load_all(kubeadm(lab, render.before_it_is_made(), NODE, ATTACHER)))[1]
    assert cluster["clusterName"] == "007"


@pytest.mark.parametrize("made", [True, False])
def test_everything_is_rendered_where_nothing_runs(made: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def document() -> dict[str, Any]:
        if made:
            return {**render.before_it_is_made(), "images": {"tools": "localhost/mcastlab/tools:made"}}
        raise HostError("The artifacts are not made yet")

    monkeypatch.setattr("provision.artifacts.document", document)
    given = render.Given(config.load(None))
    text = "".join(render.render(kind, given) for kind in render.KINDS)
    kinds = [item.get("kind", "inventory") for item in yaml.safe_load_all(text)]
    assert (
        kinds[:6] == ["NetworkAttachmentDefinition", *ADMISSION, "Network", "ConfigMap", "Pod"]
        and kinds[-1] == "inventory"
    )
    assert f"localhost/mcastlab/tools:{'made' if made else render.NOT_MADE}" in text


def test_an_unknown_kind_is_named_with_those_there_are() -> None:
    with pytest.raises(InputError) as caught:
        render.render("network", render.Given(config.load(None)))
    assert str(caught.value) == (
        "There is nothing named 'network' to render\n"
        "  remedy: Choose one of: namespaces, networks, tenants, multicast, pods, kubeadm, inventory"
    )


def failing(folder: Path, content: str, **values: Any) -> str:
    """What is said about the template `content`, without the folder it is in."""
    (folder / "nad.yml.j2").write_text(content)
    with pytest.raises(InputError) as caught:
        templating.render_file(folder / "nad.yml.j2", values)
    return str(caught.value).replace(f"{folder}/", "")


_REMEDY = "  remedy: Correct its name, or give it that variable where the template is rendered"


def test_a_missing_variable_is_named_with_template_and_line(tmp_path: Path) -> None:
    assert failing(tmp_path, "kind: Pod\n\nname: {{ nmae | tojson }}\n") == (
        f"nad.yml.j2:3: The template needs a variable that it does not get: 'nmae' is undefined\n{_REMEDY}"
    )
    assert failing(tmp_path, "a: 1\nname: {{ network.nmae }}\n", network={"name": "x"}) == (
        "nad.yml.j2:2: The template needs a variable that it does not get: 'dict object' has no attribute 'nmae'\n"
        f"{_REMEDY}"
    )


def test_a_missing_variable_in_an_included_template_is_on_that_ones_line(tmp_path: Path) -> None:
    (tmp_path / "spec.j2").write_text("\n\n\n{{ image }}\n")
    told = failing(tmp_path, "a: 1\n{% include 'spec.j2' %}\n")
    assert told.startswith("spec.j2:4: The template needs a variable that it does not get: 'image' is undefined")


def test_a_template_of_the_checkout_is_shown_from_its_root_on() -> None:
    with pytest.raises(InputError, match=r"^templates/nad\.yml\.j2:\d+: .*'network' is undefined"):
        templating.render_file(manifests.TEMPLATES / "nad.yml.j2", {"namespace": "default"})


def test_a_template_that_is_no_jinja_is_named_with_its_line(tmp_path: Path) -> None:
    told = failing(tmp_path, "a: 1\n{% if %}\n")
    assert told == "nad.yml.j2:2: The template cannot be rendered: Expected an expression, got 'end of statement block'"


def test_a_template_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        templating.render_file(tmp_path / "gone.yml.j2", {})
    assert str(caught.value).startswith(f"{tmp_path}/gone.yml.j2: The template does not exist")


def test_expressions_keep_their_type_and_their_text() -> None:
    values = {"number": 2, "text": "10", "names": ["a"]}
    given = {"one": "{{ number + 1 }}", "two": "{{ text }}", "three": "{{ one }}/{{ text }}", "four": ["{{ names }}"]}
    assert templating.evaluate(given, values, Path("x.yml")) == {
        "one": 3,
        "two": "10",
        "three": "3/10",
        "four": [["a"]],
    }


@pytest.mark.parametrize("text", ["{{ missing }}", "{{ missing }}/bin", "{{ missing.part }}", "{{ names | nothing }}"])
def test_an_expression_that_cannot_be_computed_is_named(text: str) -> None:
    with pytest.raises(InputError, match=r"^playbooks/site\.yml: Variable 'one' cannot be computed: "):
        templating.evaluate({"one": text}, {"names": []}, ROOT / "playbooks/site.yml")
