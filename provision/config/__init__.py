"""lab.yml: read once, validated whole, frozen, and passed on explicitly.

`load` is all that commands need. What a key is stands in `models`, what must hold between keys in `rules` and
`rules_subnets`, and every default in provision/config/defaults.yml.
"""

from provision.config.base import Model
from provision.config.load import load
from provision.config.models import (
    Checks,
    Cluster,
    Host,
    HostSsh,
    Ipam,
    Lab,
    Lan,
    Multicast,
    Network,
    Ssh,
    Vagrant,
)

__all__ = [
    "Checks",
    "Cluster",
    "Host",
    "HostSsh",
    "Ipam",
    "Lab",
    "Lan",
    "Model",
    "Multicast",
    "Network",
    "Ssh",
    "Vagrant",
    "load",
]
