"""The tenants' policy: what it allows and what it refuses, and that every refused network has an allowed twin."""

from __future__ import annotations

import json
import re

import pytest

from agents.netattach import patterns
from agents.netattach.judge import Refused, judge
from agents.netattach.tenants import FIRST, NEVER, NEXT, Grant
from tests.tenant_cases import CASES, MACVLAN, POLICY


@pytest.mark.parametrize("title", CASES)
def test_case(title: str) -> None:
    case = CASES[title]
    grant = Grant(POLICY, case.namespace)
    if not case.key:
        assert judge(case.text, case.name, grant)["name"] == f"tenant.{case.namespace}"
        return
    with pytest.raises(Refused) as caught:
        judge(case.text, case.name, grant)
    assert case.key.lower() in str(caught.value).lower()


@pytest.mark.parametrize("title", [title for title, case in CASES.items() if not case.key and not case.needless])
def test_what_is_understood_is_understood_the_same_again(title: str) -> None:
    """The document that plug-ins get is one that the policy allows, and the API server's pattern takes it as well."""
    case = CASES[title]
    grant = Grant(POLICY, case.namespace)
    once = judge(case.text, case.name, grant)
    assert judge(json.dumps(once), case.name, grant) == once
    assert re.fullmatch(patterns.form(grant), json.dumps(once, separators=(",", ":")))


def test_nobody_is_given_what_binds_the_pod_network() -> None:
    for kind in NEVER:
        grant = Grant({**POLICY, "tenants": {"video": {"types": [kind]}}}, "video")
        assert kind not in {**grant.first(), **grant.following()}
        with pytest.raises(Refused):
            judge(json.dumps({"type": kind}), "a", grant)


def test_without_a_policy_nothing_is_allowed() -> None:
    with pytest.raises(Refused):
        judge(json.dumps({**MACVLAN, "ipam": {}}), "a", Grant({}, "video"))


def test_every_plugin_of_the_policy_is_allowed_once_and_refused_once() -> None:
    for kind in (*FIRST, *NEXT):
        used = [case for case in CASES.values() if f'"{kind}"' in case.text]
        assert {bool(case.key) for case in used} == {True, False}, kind


# Published examples, shapes and values: macvlan, ipvlan and static of containernetworking.github.io/plugins, Multus'
# quickstart. They are accepted unchanged by who was given what they name.
PUBLISHED = {
    "macvlan": '{"name": "mynet", "type": "macvlan", "master": "eth0", "ipam": {"type": "dhcp"}}',
    "ipvlan": """{"name": "mynet", "type": "ipvlan", "master": "eth5",
      "ipam": {"type": "host-local", "subnet": "10.1.2.0/24"}}""",
    "Multus' quickstart": """{
      "cniVersion": "0.3.0", "type": "macvlan", "master": "eth0", "mode": "bridge",
      "ipam": {"type": "host-local", "subnet": "192.168.1.0/24", "rangeStart": "192.168.1.200",
               "rangeEnd": "192.168.1.216", "routes": [{"dst": "0.0.0.0/0"}], "gateway": "192.168.1.1"}
    }""",
    "static": """{
      "cniVersion": "0.3.1", "type": "macvlan", "master": "eth0",
      "ipam": {"type": "static", "addresses": [
          {"address": "10.10.0.1/24", "gateway": "10.10.0.254"},
          {"address": "3ffe:ffff:0:01ff::1/64", "gateway": "3ffe:ffff:0::1"}],
        "routes": [
          {"dst": "0.0.0.0/0"}, {"dst": "192.168.0.0/16", "gw": "10.10.5.1"}, {"dst": "3ffe:ffff:0:01ff::1/64"}],
        "dns": {"nameservers": ["8.8.8.8"], "domain": "example.com", "search": ["example.com"]}}
    }""",
}
# Needs `options`: under Multus nobody would judge the addresses that a pod asks for.
BY_PODS = '{"type": "macvlan", "master": "eth0", "capabilities": {"ips": true}, "ipam": {"type": "static"}}'
_GIVEN = {
    "ranges": ["10.1.2.0/24", "192.168.1.0/24", "10.10.0.0/16", "3ffe:ffff::/32"],
    "types": ["ipvlan"],
    "masters": ["eth5"],
}


@pytest.mark.parametrize("title", PUBLISHED)
def test_published_example(title: str) -> None:
    grant = Grant({"masters": ["eth0"], "tenants": {"video": _GIVEN}}, "video")
    text = PUBLISHED[title]
    judge(text, "a", grant)
    assert re.fullmatch(patterns.form(grant), re.sub(r"\s", "", text))


def test_published_example_that_needs_an_option() -> None:
    policy = {"masters": ["eth0"], "tenants": {"video": _GIVEN}}
    with pytest.raises(Refused, match=r"capabilities\.ips"):
        judge(BY_PODS, "a", Grant(policy, "video"))
    policy = {"masters": ["eth0"], "tenants": {"video": {**_GIVEN, "options": ["macvlan.capabilities"]}}}
    judge(BY_PODS, "a", Grant(policy, "video"))
