"""The models of lab.yml. Their descriptions are what an editor shows, by docs/lab.schema.json."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr

from provision.config.base import Model
from provision.config.tenants import Tenants
from provision.config.values import (
    BoxName,
    Group,
    HostName,
    Interface,
    Label,
    LabName,
    NodeGroup,
    V4Address,
    V4Subnet,
    V6Address,
    V6Subnet,
)
from provision.core.text import named
from provision.core.typed import ProviderName

CniVersion = Literal["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]
# net.ipv4.igmp_max_memberships; the kernel's own default is 20.
Memberships = Annotated[StrictInt, Field(ge=1, le=65535)]


class HostSsh(Model):
    """How one host is reached where that differs from the lab's `ssh`; for the provider ssh only."""

    address: StrictStr | None = Field(
        default=None, description="Name or address that SSH goes to; the host's address if none."
    )
    port: StrictInt | None = Field(default=None, ge=1, le=65535, description="Port of its SSH server.")
    user: StrictStr | None = Field(default=None, min_length=1, description="User to log in as.")
    key: StrictStr | None = Field(default=None, description="File of the private key, from lab.yml's folder on.")
    become: StrictBool | None = Field(default=None, description="Whether that user needs sudo.")


class Ssh(Model):
    """How hosts that exist are reached; for the provider ssh only."""

    inventory: StrictStr = Field(description="Ansible inventory that has the hosts, instead of `hosts`; empty: none.")
    known_hosts: StrictStr = Field(description="File with the hosts' keys; no other host is spoken to.")
    user: StrictStr = Field(min_length=1, description="User to log in as.")
    port: StrictInt = Field(ge=1, le=65535, description="Port of the SSH servers.")
    key: StrictStr = Field(description="File of the private key; empty: the SSH agent and the user's own keys.")
    become: StrictBool | None = Field(description="Whether users need sudo; without a value, all but root do.")


class Host(Model):
    name: HostName = Field(description="The host's name, and its node's in the cluster.")
    role: Literal["control-plane", "worker", "source"] = Field(
        description="control-plane: the first Kubernetes node, exactly one. worker: a further node."
        " source: sends multicast, at least one."
    )
    address: V4Address = Field(description="IPv4 address on the multicast LAN, in lan.subnet.")
    address6: V6Address | None = Field(
        None, description="IPv6 address on the multicast LAN, in lan.subnet6; needed when ip_families has ipv6."
    )
    ssh: HostSsh | None = Field(None, description="How it is reached, where that differs from the lab's `ssh`.")

    @property
    def carries_pods(self) -> bool:
        """Whether it is a node of the cluster."""
        return self.role != "source"


class Lan(Model):
    """The multicast LAN between the hosts."""

    interface: Interface = Field(description="Each host's interface on the LAN.")
    subnet: V4Subnet = Field(description="IPv4 subnet of the LAN.")
    subnet6: V6Subnet | None = Field(description="IPv6 subnet of the LAN; unused without ipv6 in ip_families.")
    querier: StrictBool = Field(description="Whether the LAN asks for memberships; snooping needs it.")
    snooping: StrictBool = Field(description="Whether the LAN delivers a group to members only, and not to all.")
    routers: tuple[HostName, ...] = Field(
        description="Hosts that may speak as routers there: queries, PIM, router advertisements; podman's LAN only."
    )


class Cluster(Model):
    """The Kubernetes cluster."""

    attacher: Literal["auto", "multus", "netattach"] = Field(
        description="What gives pods second interfaces; auto: Multus where its image was imported, else netattach."
    )
    repair: Literal["tell", "restart"] = Field(
        description="What happens to a pod that lost an interface; restart: its sandbox is made anew, one at a time."
    )
    pod_subnet: V4Subnet = Field(description="IPv4 subnet of all pods, /8 to /24.")
    pod_subnet6: V6Subnet = Field(description="IPv6 subnet of all pods, /48 to /64.")
    service_subnet: V4Subnet = Field(description="IPv4 subnet of services, /12 to /28.")
    service_subnet6: V6Subnet = Field(description="IPv6 subnet of services, /108 to /124.")


class Ipam(Model):
    """The addresses that pods get on the LAN, and the plug-in that keeps them."""

    type: Literal["host-local", "whereabouts"] = Field(
        description="The IPAM plug-in. host-local: each node counts for itself, the default of a lab with one."
        " whereabouts: all nodes count together, the default of a lab with several."
    )
    subnet: V4Subnet = Field(description="The LAN's subnet; lan.subnet when left out.")
    range_start: V4Address = Field(description="The first address that a pod can get.")
    range_end: V4Address = Field(description="The last address that a pod can get.")


class Network(Model):
    """A network that pods attach to: a NetworkAttachmentDefinition in each of its namespaces."""

    name: Label = Field(description="The NetworkAttachmentDefinition's name.")
    type: Literal["macvlan"] = Field(description="The CNI plug-in.")
    master: Interface = Field(description="The node's interface that the network stands on; lan.interface if left out.")
    mode: Literal["bridge"] = Field(description="macvlan's mode.")
    cni_version: CniVersion = Field(description="Version of the CNI specification that the network is run at.")
    namespaces: tuple[Label, ...] = Field(min_length=1, description="The namespaces whose pods can attach to it.")
    memberships: Memberships | None = Field(
        None, description="As multicast.memberships, for the pods of this network; that one if left out."
    )
    ipam: Ipam


class Multicast(Model):
    """The lab's multicast."""

    group: Group = Field(description="IPv4 group that the checks send to; those beside it in its /24 are used as well.")
    namespaces: tuple[Label, ...] = Field(
        description="Namespaces whose pods hear each other's multicast from the start."
    )
    node_groups: tuple[NodeGroup, ...] = Field(
        description="Groups, IPv4 or IPv6, that nodes share with the pods of enabled namespaces on the pod network."
    )
    memberships: Memberships = Field(
        description="IPv4 groups that one socket of a pod can be a member of, on all its interfaces together."
    )
    across_lan: StrictBool = Field(
        description="Whether pods' multicast crosses nodes over the LAN, where nodes have no network of their own."
    )


class Checks(Model):
    """What the checks send, and what they ask for."""

    threshold_percent: StrictFloat = Field(
        gt=0, le=100, allow_inf_nan=False, description="Share of the datagrams sent that must arrive, in percent."
    )
    duration_seconds: StrictInt = Field(ge=1, le=3600, description="How long a check sends, in seconds.")
    ttl: StrictInt = Field(ge=1, le=255, description="Time to live of the datagrams, in hops.")


class Vagrant(Model):
    """The machines that Vagrant makes; of no meaning to other providers."""

    machines: Literal["auto", "virtualbox", "libvirt", "docker"] = Field(
        description="Vagrant's own provider; auto: the first of these that works here."
    )
    box: BoxName = Field(
        description="The box of virtual machines; auto: the one made by `mcastlab artifacts build box`, else Debian's."
    )
    cpus: StrictInt = Field(ge=1, le=256, description="Processors of each virtual machine.")
    memory_mib: StrictInt = Field(ge=2048, le=1048576, description="Memory of each virtual machine, in MiB.")


class Lab(Model):
    """One lab."""

    name: LabName = Field(description="The lab's name, part of the names of all that is made for it.")
    provider: ProviderName = Field(
        description="podman: systemd containers on this machine. vagrant: machines by Vagrant. ssh: hosts that exist."
    )
    ip_families: tuple[Literal["ipv4", "ipv6"], ...] = Field(
        min_length=1, description="[ipv4] or [ipv4, ipv6], for the LAN, nodes, pods and services."
    )
    hosts: tuple[Host, ...] = Field(min_length=1, description="All hosts; a list here replaces the default one.")
    ssh: Ssh
    lan: Lan
    cluster: Cluster
    networks: tuple[Network, ...] = Field(
        min_length=1, description="Networks for pods; a list here replaces the default one. Checks use the first."
    )
    tenants: Tenants
    multicast: Multicast
    checks: Checks
    vagrant: Vagrant

    @property
    def dual_stack(self) -> bool:
        """Whether IPv6 is on beside IPv4."""
        return "ipv6" in self.ip_families

    @property
    def control_plane(self) -> Host:
        return next(host for host in self.hosts if host.role == "control-plane")

    @property
    def workers(self) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if host.role == "worker")

    @property
    def nodes(self) -> tuple[Host, ...]:
        """The hosts that are nodes of the cluster, the control plane first."""
        return (self.control_plane, *self.workers)

    @property
    def sources(self) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if host.role == "source")

    def host(self, name: str) -> Host:
        """The host `name`; raises InputError, naming those that there are."""
        for host in self.hosts:
            if host.name == name:
                return host
        from provision.core.errors import InputError

        names = named(host.name for host in self.hosts)
        raise InputError(f"Host '{name}' is not in lab '{self.name}'", remedy=f"Name one of its hosts: {names}")
