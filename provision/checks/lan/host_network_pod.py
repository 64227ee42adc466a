"""host-network-pod: a pod that shares its node's network receives from the source host."""

from __future__ import annotations

from provision.checks.measure import measure
from provision.checks.result import Outcome
from provision.traffic import iperf
from provision.traffic.observe import Run
from provision.traffic.places import PodReceiver
from provision.traffic.testbed import Bench


def run(bench: Bench) -> Outcome:
    sender, source = bench.source()
    bystander = bench.bystander()
    stream = bench.stream("host-network-pod")
    command = iperf.receiver_argv(stream.group, bench.lab.lan.interface, stream.port)
    place = bench.made.start("host-network-pod", command, host_network=True)
    run_ = Run(bench.lab, stream, sender, source, PodReceiver(place), bystander.result())
    return measure(run_)
