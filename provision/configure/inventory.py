"""The lab and its machines as an Ansible inventory; nothing else hands values to roles."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from provision.config import Host, Lab
from provision.core.errors import HostError
from provision.core.paths import BUNDLE_DIR
from provision.hosts.connect import openssh_options
from provision.hosts.facts import NodeFacts
from provision.hosts.machine import Machine, Management
from provision.networks.attacher import Attacher
from provision.networks.manifests import pools
from provision.networks.tenants import policy

_GROUPS = {"control-plane": "control_plane", "worker": "workers", "source": "sources"}


def variables(lab: Lab, bundle: Mapping[str, Any], node: NodeFacts | None, choice: Attacher) -> dict[str, Any]:
    """The variables of all hosts; `bundle` is the content of bundle.json, `node` what the provider knows of all hosts.

    Addresses are text. Without IPv6, hosts have the empty text for `address6`; the subnets stay, unused.
    """
    return {
        "mcastlab_lab_name": lab.name,
        "mcastlab_ip_families": list(lab.ip_families),
        "mcastlab_lan_interface": lab.lan.interface,
        "mcastlab_lan_subnet": str(lab.lan.subnet),
        "mcastlab_lan_subnet6": _text(lab.lan.subnet6),
        "mcastlab_pod_subnet": str(lab.cluster.pod_subnet),
        "mcastlab_pod_subnet6": str(lab.cluster.pod_subnet6),
        "mcastlab_service_subnet": str(lab.cluster.service_subnet),
        "mcastlab_service_subnet6": str(lab.cluster.service_subnet6),
        "mcastlab_attacher": choice.name,
        "mcastlab_repair": lab.cluster.repair,
        "mcastlab_multus_image": choice.image.reference if choice.image else "",
        "mcastlab_multus_archive": str(choice.image.archive) if choice.image else "",
        "mcastlab_bundle": dict(bundle),
        "mcastlab_bundle_dir": BUNDLE_DIR,
        **({"mcastlab_node": node.variables()} if node else {}),  # without it, the playbooks look at each host
        "mcastlab_tenants": policy(lab),
        "mcastlab_pools": pools(lab),
        "mcastlab_multicast_group": str(lab.multicast.group),
        "mcastlab_multicast_memberships": lab.multicast.memberships,
        "mcastlab_control_plane": lab.control_plane.name,
        "mcastlab_nodes": [host.name for host in lab.nodes],
        "mcastlab_hosts": [
            {"name": host.name, "role": host.role, "address": str(host.address), "address6": _address6(lab, host)}
            for host in lab.hosts
        ],
    }


def host_variables(lab: Lab, host: Host, management: Management | None = None) -> dict[str, Any]:
    """The variables of one host. Without a network of management the LAN is where nodes have their addresses."""
    lan = Management(lab.lan.interface, str(host.address), _address6(lab, host))
    place = management or lan
    return {
        "mcastlab_address": lan.address,
        "mcastlab_address6": lan.address6,
        "mcastlab_management_interface": place.interface,
        "mcastlab_management_address": place.address,
        "mcastlab_management_address6": place.address6,
    }


def inventory(
    lab: Lab,
    machines: Sequence[Machine],
    bundle: Mapping[str, Any],
    node: NodeFacts | None,
    choice: Attacher,
    bundle_source: str = "",
) -> dict[str, Any]:
    """The whole inventory, with each host's SSH endpoint, its host key pinned.

    `bundle_source` is the bundle's folder here, where hosts do not have it and get a copy.
    Raises HostError when a host of the lab has no machine: Ansible would look its name up elsewhere.
    """
    known = {machine.name: machine for machine in machines}
    if missing := [f"'{host.name}'" for host in lab.hosts if host.name not in known]:
        raise HostError(
            f"No machine runs for host {', '.join(missing)} of lab '{lab.name}'", remedy="Run `mcastlab up`"
        )
    made = _whole(lab, known, bundle, node, choice)
    if bundle_source:
        made["all"]["vars"]["mcastlab_bundle_source"] = bundle_source
    return made


def preview(lab: Lab, bundle: Mapping[str, Any], node: NodeFacts | None, choice: Attacher) -> dict[str, Any]:
    """The inventory of a lab that does not run: all but the SSH endpoints."""
    return _whole(lab, {}, bundle, node, choice)


def _whole(
    lab: Lab,
    machines: Mapping[str, Machine],
    bundle: Mapping[str, Any],
    node: NodeFacts | None,
    choice: Attacher,
) -> dict[str, Any]:
    groups: dict[str, dict[str, Any]] = {group: {"hosts": {}} for group in _GROUPS.values()}
    for host in lab.hosts:
        machine = machines.get(host.name)
        values = (
            {**_endpoint(machine), **host_variables(lab, host, machine.management)}
            if machine
            else host_variables(lab, host)
        )
        groups[_GROUPS[host.role]]["hosts"][host.name] = values
    first = groups["control_plane"]["hosts"][lab.control_plane.name]
    given = {**variables(lab, bundle, node, choice), "mcastlab_api_address": first["mcastlab_management_address"]}
    return {"all": {"vars": given, "children": groups}}


def _endpoint(machine: Machine) -> dict[str, Any]:
    options = openssh_options(machine)
    return {
        "ansible_host": machine.address,
        "ansible_port": machine.port,
        "ansible_user": machine.user,
        **({"ansible_ssh_private_key_file": str(machine.key_file)} if machine.key_file else {}),
        **({"ansible_become": True} if machine.become else {}),
        "ansible_ssh_common_args": shlex.join(part for option in options for part in ("-o", option)),
    }


def _address6(lab: Lab, host: Host) -> str:
    return _text(host.address6) if lab.dual_stack else ""


def _text(value: object) -> str:
    return "" if value is None else str(value)
