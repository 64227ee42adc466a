"""The report of one run, as data: what `--json` writes and docs/report.schema.json describes."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Attacher(Part):
    """What gave pods their second interfaces."""

    name: str
    reason: str = Field(description="why this one was chosen")


class Artifacts(Part):
    """What the cluster was made of."""

    source: str = Field(description="where binaries and images came from, for instance 'cache'")
    reason: str
    digest: str = Field(description="of everything that decides the content of the bundle")
    versions: dict[str, str] = Field(description="version by component")


class HostLine(Part):
    name: str
    role: str
    address: str = Field(description="IPv4 address on the multicast LAN")
    address6: str | None = Field(description="IPv6 address on the multicast LAN")


class StageTime(Part):
    """A stage of `mcastlab up`; there are none in the report of `mcastlab check`."""

    name: str
    succeeded: bool
    seconds: float
    summary: str


class FigureLine(Part):
    name: str
    value: float
    unit: str


class CheckLine(Part):
    name: str
    status: Literal["passed", "failed", "not-applicable"]
    reason: str = Field(description="one sentence; for a failure with the likely cause")
    figures: tuple[FigureLine, ...] = Field(description="what was measured")
    evidence: tuple[str, ...] = Field(description="passages of tools' output, verbatim")
    remedy: str = Field(default="", description="what to type or do about a failure, where something is known")
    seconds: float


class Report(Part):
    """One run of `mcastlab up` or `mcastlab check`."""

    format: Literal[1] = Field(default=1, description="rises when a field changes its meaning or goes away")
    lab: str
    provider: str
    started: str = Field(description="UTC, ISO 8601")
    passed: bool = Field(description="there are checks, and none of them failed")
    attacher: Attacher
    artifacts: Artifacts
    hosts: tuple[HostLine, ...]
    stages: tuple[StageTime, ...]
    checks: tuple[CheckLine, ...]
    notes: tuple[str, ...] = Field(default=(), description="what the checks do not show and a reader has to know")

    @property
    def failures(self) -> tuple[CheckLine, ...]:
        return tuple(check for check in self.checks if check.status == "failed")


def schema() -> dict[str, object]:
    """The JSON schema of a report, as published in docs/report.schema.json."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Report.model_json_schema(mode="serialization")}
