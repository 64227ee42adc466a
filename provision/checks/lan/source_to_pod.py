"""source-to-pod: the seed's proof, with the seed's options: a pod receives from the source host by macvlan."""

from __future__ import annotations

from provision.checks.measure import measure
from provision.checks.result import Outcome
from provision.cluster.manifests import POD_INTERFACE
from provision.traffic import iperf
from provision.traffic.observe import Measurement
from provision.traffic.places import PodReceiver
from provision.traffic.testbed import Testbed


def run(testbed: Testbed) -> Outcome:
    sender, source = testbed.source()
    bystander = testbed.bystander()
    stream = testbed.stream("source-to-pod")
    place = testbed.made.start("source-to-pod", iperf.receiver_argv(stream.group, POD_INTERFACE, stream.port))
    run_ = Measurement(testbed.lab, stream, sender, source, PodReceiver(place), bystander.result())
    return measure(run_)
