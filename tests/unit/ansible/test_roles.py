"""The roles' templates outside Ansible, and rules that every role keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, StrictUndefined
from jinja2.nativetypes import NativeEnvironment

from provision.core.paths import ROOT

ROLES = ("node_base", "containerd", "pod_network", "multicast_policy", "kubernetes", "multicast_source")

BUNDLE = {
    "digest": "0" * 64,
    "kubernetes_version": "v1.36.3",
    "image_repository": "localhost/mcastlab",
    "etcd_tag": "v3.6.7",
    "coredns_tag": "v1.14.7",
    "images": {"pause": "localhost/mcastlab/pause:3.10.2"},
}
INVENTORY = {
    "inventory_hostname": "k8s",
    "mcastlab_lab_name": "mcastlab",
    "mcastlab_ip_families": ["ipv4", "ipv6"],
    "mcastlab_pod_subnet": "10.244.0.0/16",
    "mcastlab_pod_subnet6": "fd00:10:244::/56",
    "mcastlab_service_subnet": "10.96.0.0/16",
    "mcastlab_service_subnet6": "fd00:10:96::/112",
    "mcastlab_bundle": BUNDLE,
    "mcastlab_bundle_dir": "/opt/mcastlab/bundle",
    "mcastlab_control_plane": "k8s",
    "mcastlab_nodes": ["k8s"],
    "mcastlab_api_address": "10.0.0.11",
    "mcastlab_address": "10.0.0.11",
    "mcastlab_address6": "fd00:10::11",
    "mcastlab_node": {"cgroup_version": 2, "sys_resource": True, "in_container": False},
    "ansible_host": "192.0.2.7",
}
CONTAINER_V1 = {"mcastlab_node": {"cgroup_version": 1, "sys_resource": False, "in_container": True}}


def tasks_files() -> list[Path]:
    return sorted(path for role in ROLES for path in (ROOT / "roles" / role / "tasks").glob("*.yml"))


def evaluate(value: Any, variables: dict[str, Any]) -> Any:
    """`value` with every Jinja expression in it evaluated, as Ansible would."""
    if isinstance(value, str) and "{{" in value:
        return NativeEnvironment(undefined=StrictUndefined).from_string(value).render(variables)
    if isinstance(value, list):
        return [evaluate(item, variables) for item in value]
    return value


def kubernetes_variables(**changes: Any) -> dict[str, Any]:
    """The role's defaults, and what playbooks/group_vars gives it from the inventory."""
    given = yaml.safe_load((ROOT / "playbooks/group_vars/all.yml").read_text())
    defaults = yaml.safe_load((ROOT / "roles/kubernetes/defaults/main.yml").read_text())
    known: dict[str, Any] = {**INVENTORY, **changes}
    mine = {name: evaluate(value, known) for name, value in given.items() if name.startswith("kubernetes_")}
    for name, value in defaults.items():
        mine.setdefault(name, evaluate(value, {**known, **mine}))
    return mine


def kubeadm(**changes: Any) -> dict[str, Any]:
    """The documents of kubeadm.yml by their kind."""
    source = (ROOT / "roles/kubernetes/templates/kubeadm.yml.j2").read_text()
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, autoescape=False)  # noqa: S701 (YAML)
    rendered = environment.from_string(source).render(kubernetes_variables(**changes))
    return {document["kind"]: document for document in yaml.safe_load_all(rendered)}


def test_kubeadm_is_dual_stack_on_the_lan() -> None:
    documents = kubeadm()
    init, cluster = documents["InitConfiguration"], documents["ClusterConfiguration"]
    assert init["localAPIEndpoint"]["advertiseAddress"] == "10.0.0.11"
    assert init["nodeRegistration"]["kubeletExtraArgs"] == [{"name": "node-ip", "value": "10.0.0.11,fd00:10::11"}]
    assert init["nodeRegistration"]["imagePullPolicy"] == "Never"
    assert cluster["networking"]["podSubnet"] == "10.244.0.0/16,fd00:10:244::/56"
    assert cluster["networking"]["serviceSubnet"] == "10.96.0.0/16,fd00:10:96::/112"
    assert cluster["etcd"]["local"]["imageTag"] == BUNDLE["etcd_tag"]


def test_kubeadm_with_ipv4_alone_names_no_ipv6() -> None:
    documents = kubeadm(mcastlab_ip_families=["ipv4"], mcastlab_address6=None)
    cluster = documents["ClusterConfiguration"]
    assert cluster["networking"]["podSubnet"] == "10.244.0.0/16"
    assert cluster["networking"]["serviceSubnet"] == "10.96.0.0/16"
    assert cluster["apiServer"]["certSANs"] == ["127.0.0.1", "localhost", "k8s", "10.0.0.11", "192.0.2.7"]


def test_kubelet_on_a_machine_with_cgroup_v2_has_no_concessions() -> None:
    documents = kubeadm()
    kubelet = documents["KubeletConfiguration"]
    assert kubelet["cgroupDriver"] == "systemd"
    assert not {"failCgroupV1", "featureGates", "evictionHard"} & set(kubelet)
    assert "conntrack" not in documents["KubeProxyConfiguration"]
    assert kubernetes_variables()["kubernetes_ignored_preflight_errors"] == []


def test_kubelet_in_a_container_with_cgroup_v1_and_no_sys_resource() -> None:
    documents = kubeadm(**CONTAINER_V1)
    kubelet = documents["KubeletConfiguration"]
    assert kubelet["cgroupDriver"] == "cgroupfs"
    assert kubelet["failCgroupV1"] is False
    assert kubelet["featureGates"] == {"KubeletInUserNamespace": True}
    assert documents["KubeProxyConfiguration"]["conntrack"] == {"maxPerCore": 0}
    assert kubernetes_variables(**CONTAINER_V1)["kubernetes_ignored_preflight_errors"] == ["SystemVerification"]


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_of_a_role_is_in_its_specification(role: str) -> None:
    folder = ROOT / "roles" / role
    specs = yaml.safe_load((folder / "meta/argument_specs.yml").read_text())["argument_specs"]
    options = {name for spec in specs.values() for name in spec["options"]}
    defaults = folder / "defaults/main.yml"
    assert set(yaml.safe_load(defaults.read_text())) <= options
    assert all(name.startswith(f"{role}_") for name in options)


@pytest.mark.parametrize("path", tasks_files(), ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_no_role_uses_a_shell(path: Path) -> None:
    ours = {module.stem for module in (ROOT / "plugins/modules").glob("*.py")}
    modules = {key for task in yaml.safe_load(path.read_text()) for key in task if "." in key or key in ours}
    assert modules
    assert not modules & {"ansible.builtin.shell", "ansible.builtin.raw", "ansible.builtin.script"}


@pytest.mark.parametrize("path", tasks_files(), ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_every_file_that_is_written_has_a_mode(path: Path) -> None:
    for task in yaml.safe_load(path.read_text()):
        for module in ("blockinfile", "lineinfile", "copy", "template"):
            arguments = task.get(f"ansible.builtin.{module}", {"state": "absent"})
            assert "mode" in arguments or arguments.get("state") == "absent", task["name"]


def test_reset_visits_every_role_of_site() -> None:
    def roles(playbook: str) -> set[str]:
        plays = yaml.safe_load((ROOT / "playbooks" / playbook).read_text())
        imports = [task.get("ansible.builtin.import_role") for play in plays for task in play.get("tasks", [])]
        named = {item["role"] for play in plays for item in play.get("roles", [])}
        return named | {item["name"] for item in imports if item}

    assert set(ROLES) <= roles("site.yml")
    assert set(ROLES) == roles("reset.yml") & set(ROLES)
