"""Files of the policy's that others have touched, under its real plug-in, agent and programs.

What each reader says of each kind of damage is tests/unit/multicast_policy/test_policy_files.py's.
"""

from __future__ import annotations

import pytest

from agents.multicast_policy import bind, hooks
from tests.damage import damage
from tests.integration.multicast_policy.policy_node import Node


def test_a_pod_whose_record_is_damaged_is_not_bound_again_and_goes(node: Node) -> None:
    pod = node.pod("green")
    record = node.folder / "ports" / f"{pod.id}@eth0"
    damage(record, "a FIFO")
    with pytest.raises(AssertionError, match=f"'{bind.FOLDER}/ports/{record.name}' is a FIFO.*delete the pod"):
        node.bind(pod, pod.result)
    node.delete(pod)
    assert not record.exists()


@pytest.mark.parametrize("kind", ["empty", "a FIFO", "a folder"])
def test_damaged_files_of_the_unit_are_told_and_no_pod_starts_without_programs(node: Node, kind: str) -> None:
    """A pod that runs is kept as it was meanwhile; with the file whole again all goes on, without a new start."""
    node.start_agent("green")
    kept, path = node.pod("green"), node.folder / hooks.KIND
    content = path.read_text()
    damage(path, kind)
    assert "systemctl restart mcastlab-multicast-policy" in node.told(f"the file '{bind.FOLDER}/{hooks.KIND}' is")
    with pytest.raises(AssertionError, match=f"the file '{bind.FOLDER}/{hooks.KIND}' is"):
        node.pod("green")
    path.rmdir() if path.is_dir() else path.unlink()
    path.write_text(content)
    assert node.has_programs(kept.port)
    (failed,) = [pod for pod in node.pods if pod is not kept]
    node.delete(failed)
    node.pod("green")
