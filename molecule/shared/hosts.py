#!/usr/bin/env python3
"""The hosts of the molecule scenario that runs, and their inventory.

`create` and `destroy` are the Podman provider's; `--list` has the variables that playbooks/site.yml would get. Which
hosts there are, the scenario's molecule.yml says by its platforms: `k8s`, `mcastsrc` or both.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

import yaml  # noqa: E402

from provision import artifacts, config  # noqa: E402
from provision.artifacts import imported  # noqa: E402
from provision.config import Lab  # noqa: E402
from provision.configure.inventory import inventory, preview  # noqa: E402
from provision.core.errors import CommandError  # noqa: E402
from provision.core.paths import StateDir, cache_dir  # noqa: E402
from provision.networks import attacher  # noqa: E402
from provision.providers.podman.cli import Podman  # noqa: E402
from provision.providers.podman.provider import PodmanProvider  # noqa: E402

LAB = Path(__file__).resolve().parent / "lab.yml"


def scenario_lab() -> Lab:
    """The shared lab under the scenario's name, with the hosts that it asks for."""
    scenario = yaml.safe_load(Path(os.environ["MOLECULE_FILE"]).read_text())
    name = f"mol-{os.environ['MOLECULE_SCENARIO_NAME'].replace('_', '-')}"[:20].rstrip("-")
    wanted = {platform["name"] for platform in scenario["platforms"]}
    lab = config.load(LAB)
    return lab.model_copy(update={"name": name, "hosts": tuple(host for host in lab.hosts if host.name in wanted)})


def provider(lab: Lab) -> PodmanProvider:
    """Hosts from the plain node image: the roles have not been at it."""
    return PodmanProvider(lab, StateDir(cache_dir() / "tmp" / lab.name), prepared=False)


def create(lab: Lab) -> None:
    bundle = artifacts.ensure(lambda _line: None, Podman())
    provider(lab).up(lab, bundle.node_image, bundle.path, lambda _line: None)


def destroy(lab: Lab) -> None:
    made = provider(lab)
    try:
        made.down(lab)
    except CommandError:  # a container that ends while Podman stops it confuses Podman 4.3 once
        made.down(lab)
    shutil.rmtree(made.state.path, ignore_errors=True)
    made.podman.release()


def listing(lab: Lab) -> dict[str, object]:
    """As `--list` has to print it; without endpoints where nothing runs yet."""
    made = provider(lab)
    document, facts, choice = artifacts.document(), made.node_facts(), attacher.choose_attacher(lab)
    machines = made.machines(lab)
    running = len(machines) == len(lab.hosts) and made.state.key.exists()
    whole = inventory(lab, machines, document, facts, choice) if running else preview(lab, document, facts, choice)
    groups, hostvars = {}, {}
    for group, content in whole["all"]["children"].items():
        groups[group] = {"hosts": list(content["hosts"])}
        hostvars |= content["hosts"]
    return {"_meta": {"hostvars": hostvars}, "all": {"vars": whole["all"]["vars"], "children": list(groups)}, **groups}


def main() -> None:
    lab = scenario_lab()
    if image := os.environ.get("MCASTLAB_MULTUS_IMAGE"):
        found = imported.find("multus") or artifacts.import_archive(Path(image), "multus", lambda _line: None)
        lab = lab.model_copy(update={"cluster": lab.cluster.model_copy(update={"attacher": "multus"})})
        assert found == attacher.choose_attacher(lab).image  # noqa: S101 - the one that was named and no other
    action = sys.argv[1].removeprefix("--")
    if action == "list":
        print(json.dumps(listing(lab), indent=1))
    else:
        {"create": create, "destroy": destroy}[action](lab)


if __name__ == "__main__":
    main()
