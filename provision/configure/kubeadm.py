"""kubeadm's configuration, as role kubernetes writes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from provision.config import Lab
from provision.configure.inventory import host_variables, variables
from provision.core.errors import InputError
from provision.core.paths import ROOT
from provision.core.templating import evaluate, render_file, shown
from provision.hosts.facts import NodeFacts
from provision.networks.attacher import Attacher

Values = Mapping[str, Any]


def kubeadm(lab: Lab, bundle: Values, node: NodeFacts | None, choice: Attacher) -> str:
    """kubeadm's configuration: the role's own template with the variables that playbooks/group_vars gives it."""
    role, given = ROOT / "roles" / "kubernetes", ROOT / "playbooks" / "group_vars" / "all.yml"
    host = lab.control_plane
    values = {**variables(lab, bundle, node, choice), **host_variables(lab, host)}
    values |= {"inventory_hostname": host.name, "mcastlab_api_address": values["mcastlab_management_address"]}
    values |= evaluate({k: v for k, v in _yaml_file(given).items() if k.startswith("kubernetes_")}, values, given)
    defaults = role / "defaults" / "main.yml"
    values |= evaluate(
        {key: value for key, value in _yaml_file(defaults).items() if key not in values}, values, defaults
    )
    return render_file(role / "templates" / "kubeadm.yml.j2", values)


def _yaml_file(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text())
    except OSError as error:
        raise InputError(f"The file cannot be read: {error.strerror}", where=shown(path)) from error
