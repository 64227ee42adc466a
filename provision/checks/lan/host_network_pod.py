"""host-network-pod: a pod that shares its node's network receives from the source host."""

from __future__ import annotations

from provision.checks.measure import measure
from provision.checks.result import Outcome
from provision.traffic import iperf
from provision.traffic.observe import Measurement
from provision.traffic.places import PodReceiver
from provision.traffic.testbed import Testbed


def run(testbed: Testbed) -> Outcome:
    sender, source = testbed.source()
    bystander = testbed.bystander()
    stream = testbed.stream("host-network-pod")
    command = iperf.receiver_argv(stream.group, testbed.lab.lan.interface, stream.port)
    place = testbed.made.start("host-network-pod", command, host_network=True)
    run_ = Measurement(testbed.lab, stream, sender, source, PodReceiver(place), bystander.result())
    return measure(run_)
