"""Passing judgement on one run of multicast: what must have happened, and the likely cause when it did not."""

from __future__ import annotations

from provision.checks.result import LIKELY, Figure, Outcome, failed, passed
from provision.traffic.observe import Observation

# Late datagrams and copies that a run may have, in percent of what was sent.
COPIES_PERCENT = 1.0


def judge(flow: Observation, threshold: float) -> Outcome:
    """Pass only if at least `threshold` percent of what was really sent was received, by all accounts."""
    problem = _not_sent(flow) or _not_joined(flow) or _not_received(flow, threshold) or _overheard(flow)
    if problem:
        return failed(problem, *_figures(flow))
    sent, arrived = _counts(flow)
    return passed(f"{arrived} of {sent} datagrams were received ({_percent(flow):.1f} %)", *_figures(flow))


def _not_sent(flow: Observation) -> str:
    if flow.sent is None:
        return f"The sender, {flow.sender}, sent nothing: see its output"
    if flow.left < flow.sent.datagrams:
        return (
            f"iperf reports {flow.sent.datagrams} datagrams sent, but interface '{flow.sender_interface}' of"
            f" {flow.sender} sent only {flow.left} packets: it is down, or the route leads out of another one"
        )
    return ""


def _not_joined(flow: Observation) -> str:
    if not flow.receiver_runs:
        return f"The receiver, {flow.receiver}, did not run to the end: see its output"
    if flow.interface not in flow.joined:
        where = " and ".join(f"'{name}'" for name in sorted(flow.joined))
        if where:
            return f"The receiver, {flow.receiver}, joined {flow.group} on {where} instead of '{flow.interface}'"
        return f"The receiver, {flow.receiver}, is not a member of {flow.group} on any interface"
    if others := flow.joined - {flow.interface}:
        where = " and ".join(f"'{name}'" for name in sorted(others))
        return f"The receiver, {flow.receiver}, joined {flow.group} not only on '{flow.interface}' but also on {where}"
    return ""


def _not_received(flow: Observation, threshold: float) -> str:
    sent, arrived = _counts(flow)
    reception = flow.reception
    if reception is None or reception.with_copies == 0:
        return f"No datagram of {sent} sent was received{LIKELY}{_where_lost(flow)}"
    if reception.out_of_order > sent * COPIES_PERCENT / 100:
        if reception.with_copies > sent * (1 + COPIES_PERCENT / 100):
            return (
                f"Duplicates: about {reception.with_copies} datagrams were received of {sent} sent:"
                " two paths lead to the receiver, or a bridge sends back what it got (hairpin mode)"
            )
        return (
            f"{reception.out_of_order} of {sent} datagrams came out of order: more than one path leads to the receiver"
        )
    if flow.reached < arrived:
        return (
            f"The counters disagree: the receiver counts {arrived} datagrams, its interface '{flow.interface}' only"
            f" {flow.reached} packets: they came in by another interface"
        )
    if _percent(flow) < threshold:
        return (
            f"Only {arrived} of {sent} datagrams were received ({_percent(flow):.1f} % of the {threshold:g} % needed)"
            f"{LIKELY}{_where_lost(flow)}"
        )
    return ""


def _overheard(flow: Observation) -> str:
    if flow.heard is None:
        return "The bystander, which must hear nothing, did not answer by unicast: its silence proves nothing"
    if flow.heard:
        return f"The bystander, which joined no group, heard {flow.heard} multicast datagrams"
    return ""


def _where_lost(flow: Observation) -> str:
    """The likely cause of a loss, by how far the datagrams came."""
    sent, _arrived = _counts(flow)
    if flow.reached >= sent:
        return (
            f"they reached interface '{flow.interface}' of {flow.receiver} ({flow.reached} packets) but not the socket:"
            " reverse-path filter (rp_filter), a firewall there, or a full socket buffer"
        )
    return (
        f"they left {flow.sender}, but only {flow.reached} packets reached interface '{flow.interface}' of"
        f" {flow.receiver}: snooping without a querier, a MAC filter of the hypervisor, or a firewall that drops"
        " bridged traffic"
    )


def _counts(flow: Observation) -> tuple[int, int]:
    """(datagrams sent, datagrams arrived)."""
    return flow.sent.datagrams if flow.sent else 0, flow.reception.arrived if flow.reception else 0


def _percent(flow: Observation) -> float:
    sent, arrived = _counts(flow)
    return 100 * arrived / sent if sent else 0.0


def _figures(flow: Observation) -> tuple[Figure, ...]:
    sent, arrived = _counts(flow)
    figures = [
        Figure("sent", sent, "datagrams"),
        Figure("received", arrived, "datagrams"),
        Figure("received_percent", round(_percent(flow), 2), "%"),
        Figure("sender_interface", flow.left, "packets"),
        Figure("receiver_interface", flow.reached, "packets"),
    ]
    if flow.reception:
        figures.append(Figure("out_of_order", flow.reception.out_of_order, "datagrams"))
        figures.append(Figure("jitter", flow.reception.jitter, "ms"))
    if flow.heard is not None:
        figures.append(Figure("bystander", flow.heard, "datagrams"))
    return tuple(figures)
