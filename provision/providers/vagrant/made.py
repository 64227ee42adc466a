"""machines.json: what the Vagrantfile makes machines from, written before every `vagrant up`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from provision.config import Lab
from provision.core.files import write_whole
from provision.core.paths import StateDir
from provision.providers.podman.keys import make_key
from provision.providers.vagrant import box
from provision.providers.vagrant.accelerated import kvm_works


def write(lab: Lab, state: StateDir, node_image: str, bundle: Path) -> None:
    """Make the lab's folder and key where they are missing, and write machines.json and lab.json into it."""
    state.make()
    make_key(state.key, f"mcastlab-{lab.name}")
    own = box.find()
    content: dict[str, Any] = {"bundle": str(bundle), "node_image": node_image, "kvm": kvm_works(), "box": None}
    if own:
        content["box"] = {"name": own.name, "file": str(own.file), "kernel": str(own.kernel)}
        content["box"] |= {"initrd": str(own.initrd), "key": str(own.key), "cmd_line": box.CMD_LINE}
    write_whole(state.path / "machines.json", json.dumps(content, indent=2) + "\n")
    write_whole(lab_file(state), lab.model_dump_json(indent=2) + "\n")


def lab_file(state: StateDir) -> Path:
    """The lab as it was understood, for the Vagrantfile when mcastlab drives it: JSON is YAML."""
    return state.path / "lab.json"
