"""One run of multicast, observed and judged."""

from __future__ import annotations

from dataclasses import replace

from provision.checks.result import Figure, Outcome, failed
from provision.checks.verdict import judge
from provision.core.run import Completed
from provision.traffic.observe import SLACK_SECONDS, Measurement, observe, wait_for_join


def measure(run: Measurement) -> Outcome:
    """Wait for the join, send for the lab's check duration, and judge what was seen."""
    wait_for_join(run)
    if not run.receiver.running():
        return failed(
            f"The receiver, {run.receiver.place.label}, ended before anything was sent: see its output",
            evidence=(run.receiver.output(),),
        )
    observation, sending = observe(run)
    outcome = judge(observation, run.lab.checks.threshold_percent)
    begun = Figure("first_sent_at", sending.first_at, "unix time")
    figures = (*outcome.figures, Figure("warm_up", sending.warmed, "datagrams"), begun)
    return replace(outcome, figures=figures, evidence=_evidence(run, sending.output, outcome))


def _evidence(run: Measurement, sent: Completed, outcome: Outcome) -> tuple[str, ...]:
    """The tools' own words; for a failure also what the kernels on both sides say of routes, members and filters."""
    passages = [
        f"sender, {run.sender.label}: {' '.join(sent.argv)}\n{sent.stdout}{sent.stderr}",
        f"receiver, {run.receiver.place.label}:\n{run.receiver.output()}",
    ]
    if outcome.status == "failed":
        interface = run.receiver.place.interface
        filters = [f"/proc/sys/net/ipv4/conf/{name}/rp_filter" for name in ("all", interface)]
        for place, argv in (
            (run.sender, ["ip", "route", "get", run.stream.group, "from", run.source]),
            (run.receiver.place, ["cat", "/proc/net/igmp"]),
            (run.receiver.place, ["grep", "-H", "", *filters]),
        ):
            done = place.run(argv, SLACK_SECONDS, check=False)
            passages.append(f"{place.label}: {' '.join(argv)}\n{done.stdout}{done.stderr}")
    return tuple(passages)
