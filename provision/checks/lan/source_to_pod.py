"""source-to-pod: the seed's proof, with the seed's options: a pod receives from the source host by macvlan."""

from __future__ import annotations

from provision.checks.measure import measure
from provision.checks.result import Outcome
from provision.cluster.manifests import POD_INTERFACE
from provision.traffic import iperf
from provision.traffic.observe import Run
from provision.traffic.places import PodReceiver
from provision.traffic.testbed import Bench


def run(bench: Bench) -> Outcome:
    sender, source = bench.source()
    bystander = bench.bystander()
    stream = bench.stream("source-to-pod")
    place = bench.made.start("source-to-pod", iperf.receiver_argv(stream.group, POD_INTERFACE, stream.port))
    run_ = Run(bench.lab, stream, sender, source, PodReceiver(place), bystander.result())
    return measure(run_)
