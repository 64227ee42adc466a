"""What a check needs and a cluster has not: not applicable, with the reason, in a lab as well as elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from provision import config
from provision.checks.registry import CHECKS, Check
from provision.checks.result import Outcome
from provision.checks.runner import CheckRun
from provision.multicast.backends.lab import BACKEND as LAB
from provision.multicast.backends.ovn_kubernetes import BACKEND as OVN
from provision.multicast.detect import Detection
from provision.traffic import testbed as context
from provision.traffic.testbed import Target, Testbed

REFUSED = "node 'k8s' cannot keep namespaces apart: bpf(): Operation not permitted"
NOBODY: Any = None  # a cluster that must not be asked


def testbed(
    monkeypatch: pytest.MonkeyPatch, found: Detection | None, *, foreign: bool = False, image: str = "tools"
) -> Testbed:
    monkeypatch.setattr(context, "detect" if foreign else "wait_until_detected", lambda _kube: found)
    return Testbed(Target(config.load(None), NOBODY, NOBODY, image, foreign=foreign))


def test_a_lab_has_all_and_is_not_asked_for_more_than_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert testbed(monkeypatch, None, image="").lacks(("hosts", "image", "networks", "kubeadm")) == ""
    assert testbed(monkeypatch, Detection(LAB, "mcastlab", "it runs")).lacks(("hosts", "switch")) == ""


def test_a_kernel_that_takes_no_programs_is_no_failure_of_the_switch_s_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    refusing = testbed(monkeypatch, Detection(LAB, "mcastlab", "it runs", (REFUSED,), REFUSED))
    needing = {check.name for check in CHECKS if refusing.lacks(check.needs) == REFUSED}
    assert needing == {check.name for check in CHECKS if "switch" in check.needs}
    assert {refusing.lacks(check.needs) for check in CHECKS} == {"", REFUSED, "The cluster has one node"}


def test_such_a_check_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_bench: Testbed) -> Outcome:
        raise AssertionError

    refusing = testbed(monkeypatch, Detection(LAB, "mcastlab", "it runs", (), REFUSED), foreign=True)
    check = Check("node-isolation", "", never, "namespace", in_up=False, needs=("switch",))
    (result,) = CheckRun([check], refusing).results(lambda _result: None)
    assert (result.status, result.reason) == ("not-applicable", REFUSED)


@pytest.mark.parametrize(
    ("needs", "found", "reason"),
    [
        (("hosts", "switch"), None, "It needs the lab's hosts: the source, and a node that can be logged in to"),
        (("image", "switch"), None, "No image with python3 and socat is known to this cluster: name one by --image"),
        (
            ("switch",),
            Detection(None, "Calico", "it is Calico"),
            "This cluster has no multicast by namespace that is known here: it is Calico",
        ),
        (("switch",), Detection(OVN, "OVNKubernetes", "", (), "enable-multicast is off"), "enable-multicast is off"),
    ],
)
def test_of_another_cluster_the_first_need_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, needs: tuple[str, ...], found: Detection | None, reason: str
) -> None:
    assert testbed(monkeypatch, found, foreign=True, image="").lacks(needs).startswith(reason)
