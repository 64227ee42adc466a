"""source-to-pod: the seed's proof, with the seed's options: a pod receives from the source host by macvlan."""

from __future__ import annotations

from provision.checks import iperf
from provision.checks.context import Bench
from provision.checks.places import PodReceiver
from provision.checks.result import Outcome
from provision.checks.traffic import Run, measure
from provision.render import POD_INTERFACE


def run(bench: Bench) -> Outcome:
    sender, source = bench.source()
    bystander = bench.bystander()
    stream = bench.stream("source-to-pod")
    place = bench.made.start("source-to-pod", iperf.receiver_argv(stream.group, POD_INTERFACE, stream.port))
    run_ = Run(bench.lab, stream, sender, source, PodReceiver(place), bystander.result())
    return measure(run_)
