"""One run as data, as a table, as JSON by its published schema, and as JUnit XML."""

from __future__ import annotations

import io
import json
import stat
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from rich.console import Console

from provision.checks.result import LIKELY, Figure, Result, failed, not_applicable, passed
from provision.core.errors import HostError
from provision.core.paths import ROOT
from provision.core.progress import StageLine
from provision.pipeline.publish import record
from provision.report import Report, make_report, schema, table, write_json, write_junit

NASTY = "tool said: <&> \"quoted\" 'x' ]]> \x1b[31mred\x1b[0m \x00 ü\n"
RESULTS = [
    Result.of("nodes-ready", passed("1 of 1 nodes is ready", Figure("ready", 1, "nodes")), 0.21),
    Result.of(
        "source-to-pod", failed(f"Only 3 of 449: {NASTY}", Figure("sent", 449, "datagrams"), evidence=(NASTY,)), 7.5
    ),
    Result.of("mld", not_applicable("the lab has no IPv6"), 0.0),
]


@pytest.fixture
def lab() -> Any:
    hosts = [
        SimpleNamespace(name="k8s", role="control-plane", address="10.0.0.11", address6="fd00:10::11"),
        SimpleNamespace(name="mcastsrc", role="source", address="10.0.0.12", address6=None),
    ]
    networks = [SimpleNamespace(name="video", type="macvlan"), SimpleNamespace(name="audio", type="macvlan")]
    return SimpleNamespace(name="second", hosts=hosts, cluster=SimpleNamespace(attacher="auto"), networks=networks)


@pytest.fixture
def state() -> Any:
    bundle = SimpleNamespace(
        source="cache", reason="unchanged", digest="sha256:12", versions={"kubernetes": "v1.36.3", "etcd": "v3.6.7"}
    )
    stages = [
        StageLine("preflight", time.monotonic() - 60, "✓", 0.204, "can run"),
        StageLine("checks", time.monotonic() - 8, "", 0.0),
    ]
    provider, progress = SimpleNamespace(name="podman"), SimpleNamespace(stages=stages)
    choice = SimpleNamespace(name="netattach", reason="a test wants it")
    return SimpleNamespace(bundle=bundle, provider=provider, progress=progress, attacher=choice, results=list(RESULTS))


@pytest.fixture
def report(lab: Any, state: Any) -> Report:
    return make_report(lab, record(state))


def test_the_report_tells_what_ran(report: Report) -> None:
    assert (report.lab, report.provider, report.passed) == ("second", "podman", False)
    assert report.attacher.name == "netattach"
    assert report.attacher.reason
    assert report.artifacts.versions["kubernetes"] == "v1.36.3"
    assert [stage.name for stage in report.stages] == ["preflight"]  # the running one has no time yet
    assert [check.name for check in report.failures] == ["source-to-pod"]


def test_no_checks_is_not_passed(lab: Any, state: Any) -> None:
    state.results = []
    assert not make_report(lab, record(state)).passed
    state.results = RESULTS[:1]
    assert make_report(lab, record(state)).passed


def test_json_follows_the_published_schema(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_json(report, path)
    document = json.loads(path.read_text())
    published = json.loads((ROOT / "docs" / "report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(published)
    jsonschema.validate(document, published)
    assert document["checks"][1]["evidence"] == [NASTY]
    assert document["checks"][0]["figures"] == [{"name": "ready", "value": 1.0, "unit": "nodes"}]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_the_published_schema_is_the_models_own() -> None:
    path = ROOT / "docs" / "report.schema.json"
    assert json.loads(path.read_text()) == schema(), (
        "write it anew: python -m provision.report > docs/report.schema.json"
    )


def test_junit(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    write_junit(report, path)
    suite = ElementTree.parse(path).getroot()  # noqa: S314 - our own file
    assert (suite.tag, suite.get("name"), suite.get("time")) == ("testsuite", "mcastlab.second", "7.50")
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["3", "1", "0", "1"]
    properties = {item.get("name"): item.get("value") for item in suite.iter("property")}
    assert properties["attacher"] == "netattach"
    assert properties["version.etcd"] == "v3.6.7"
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert list(cases) == ["nodes-ready", "source-to-pod", "mld"]
    failure = cases["source-to-pod"].find("failure")
    assert "tool said: <&> \"quoted\" 'x' ]]> \ufffd[31mred\ufffd[0m \ufffd ü" in failure.get("message")
    assert NASTY.replace("\x1b", "\ufffd").replace("\x00", "\ufffd") in failure.text
    assert cases["nodes-ready"].find("failure") is None
    assert cases["nodes-ready"].findtext("system-out") == "1 of 1 nodes is ready\nready 1 nodes"
    assert cases["mld"].find("skipped").get("message") == "the lab has no IPv6"


def test_a_file_that_cannot_be_written_is_named(report: Report, tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"no/report\.json"):
        write_json(report, tmp_path / "no" / "report.json")


def test_the_table_is_plain_off_a_terminal(lab: Any, state: Any) -> None:
    state.results = [RESULTS[0], RESULTS[2]]
    out = io.StringIO()
    Console(file=out, width=200).print(table(make_report(lab, record(state))))
    assert [line.rstrip() for line in out.getvalue().splitlines()[1:]] == [
        "check        status          seconds  what was found",
        "nodes-ready  passed              0.2  1 of 1 nodes is ready",
        "mld          not-applicable      0.0  the lab has no IPv6",
        "1 passed, 1 not-applicable",
        "Macvlan networks are one LAN for all namespaces, and the switch does not isolate these: video, audio",
    ]


def test_a_failure_is_told_once_below_the_table(lab: Any, state: Any) -> None:
    seen, cause = "No datagram of 449 sent was received", "they left host 'mcastsrc', but no packet came"
    found = failed(seen + LIKELY + cause, evidence=("iperf -c\n\x1b[2Jsent 449\r\n",), remedy="Run `mcastlab up`")
    state.results = [RESULTS[0], Result.of("host-to-host", found, 7.5)]
    out = io.StringIO()
    Console(file=out, width=200).print(table(make_report(lab, record(state))))
    assert [line.rstrip() for line in out.getvalue().splitlines()[1:-1]] == [
        "check         status  seconds  what was found",
        "nodes-ready   passed      0.2  1 of 1 nodes is ready",
        "host-to-host  failed      7.5  No datagram of 449 sent was received",
        "1 passed, 1 failed",
        "✗ host-to-host",
        f"  likely: {cause}",
        "  | iperf -c",
        "  | \ufffd[2Jsent 449",
        "  remedy: Run `mcastlab up`",
    ]


def test_the_table_has_colour_on_a_terminal(report: Report) -> None:
    out = io.StringIO()
    Console(file=out, width=100, force_terminal=True, color_system="standard").print(table(report))
    assert "\x1b[32mpassed" in out.getvalue()
    assert "[/red]" not in out.getvalue()
