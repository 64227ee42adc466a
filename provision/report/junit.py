"""A report as JUnit XML: a test suite with a test case for each check."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from provision.report.model import CheckLine, Report

# What XML 1.0 cannot hold at all, not even escaped (section 2.2): tools' output may have it.
_UNSPEAKABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> str:
    """The XML document; not-applicable checks are skipped test cases, properties tell what ran."""
    counts = {
        "tests": len(report.checks),
        "failures": len(report.failures),
        "errors": 0,
        "skipped": sum(check.status == "not-applicable" for check in report.checks),
    }
    suite = Element("testsuite", name=_clean(f"mcastlab.{report.lab}"), timestamp=report.started)
    suite.attrib |= {name: str(count) for name, count in counts.items()}
    # Checks run at the same time: the longest is how long all took.
    suite.set("time", f"{max((check.seconds for check in report.checks), default=0.0):.2f}")
    _properties(suite, report)
    for check in report.checks:
        _case(suite, report.lab, check)
    indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(suite, encoding="unicode") + "\n"


def _properties(suite: Element, report: Report) -> None:
    properties = SubElement(suite, "properties")
    pairs = {
        "provider": report.provider,
        "attacher": report.attacher.name,
        "attacher.reason": report.attacher.reason,
        "artifacts.source": report.artifacts.source,
        "artifacts.digest": report.artifacts.digest,
        **{f"version.{name}": version for name, version in report.artifacts.versions.items()},
        **{f"stage.{stage.name}.seconds": f"{stage.seconds:.2f}" for stage in report.stages},
    }
    for name, value in pairs.items():
        SubElement(properties, "property", name=_clean(name), value=_clean(value))


def _case(suite: Element, lab: str, check: CheckLine) -> None:
    case = SubElement(
        suite, "testcase", classname=_clean(f"mcastlab.{lab}"), name=_clean(check.name), time=f"{check.seconds:.2f}"
    )
    if check.status == "failed":
        failure = SubElement(case, "failure", message=_clean(check.reason), type="failed")
        failure.text = _clean(
            "\n\n".join((check.reason, *check.evidence, *filter(None, [check.remedy and f"remedy: {check.remedy}"])))
        )
    elif check.status == "not-applicable":
        SubElement(case, "skipped", message=_clean(check.reason))
    output = [check.reason, *(f"{item.name} {item.value:g} {item.unit}".rstrip() for item in check.figures)]
    SubElement(case, "system-out").text = _clean("\n".join(output))


def _clean(text: str) -> str:
    return _UNSPEAKABLE.sub("\ufffd", text)
