"""What namespaces may do with networks of their own: the part `tenants` of lab.yml."""

from __future__ import annotations

from pydantic import Field, StrictBool, StrictInt, StrictStr

from provision.config.base import Model
from provision.config.values import Interface, Label, PluginKey, PluginType, Subnet


class Administrators(Model):
    """Who writes networks that are trusted as they stand, and takes the tenants' label off."""

    users: tuple[StrictStr, ...] = Field(description="Names of users, as the API server has them.")
    groups: tuple[StrictStr, ...] = Field(description="Names of groups, as the API server has them.")


class TenantLimits(Model):
    """How much one namespace may take of what all share."""

    selections: StrictInt = Field(ge=1, le=100, description="Networks that one pod may select.")
    addresses: StrictInt = Field(
        ge=1, le=100000, description="Attachments that a namespace's pods may have to one network, on one node."
    )


class Tenant(Model):
    """What the networks of one namespace may be, beyond what every namespace's may."""

    namespace: Label = Field(description="The namespace.")
    ranges: tuple[Subnet, ...] = Field(
        (), description="Subnets, IPv4 or IPv6, of which its networks may give addresses; nobody else's."
    )
    types: tuple[PluginType, ...] = Field((), description="Further CNI plug-ins; ipvlan is one.")
    masters: tuple[Interface, ...] = Field(
        (), description="Further interfaces of nodes; with ipvlan among the types they are ipvlan's alone."
    )
    options: tuple[PluginKey, ...] = Field((), description="Further keys, TYPE.KEY, with any value.")
    dangerous: StrictBool = Field(
        False, description="Needed where the above opens the nodes themselves; `mcastlab status` says so, loudly."
    )


class Tenants(Model):
    """Networks that namespaces write themselves (NetworkAttachmentDefinitions with the label mcastlab.io/tenant)."""

    administrators: Administrators
    limits: TenantLimits
    namespaces: tuple[Tenant, ...] = Field(description="Namespaces that may have more than macvlan without addresses.")
