"""pod-to-pod-macvlan: a pod receives from another pod, both on the multicast LAN by macvlan."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from provision.checks.measure import measure
from provision.checks.result import Outcome
from provision.cluster.manifests import POD_INTERFACE
from provision.traffic import iperf
from provision.traffic.observe import Measurement
from provision.traffic.places import PodReceiver, address
from provision.traffic.pods import IDLE
from provision.traffic.testbed import Testbed


def run(testbed: Testbed) -> Outcome:
    bystander = testbed.bystander()
    stream = testbed.stream("pod-to-pod-macvlan")
    command = iperf.receiver_argv(stream.group, POD_INTERFACE, stream.port)
    with ThreadPoolExecutor(2) as starting:
        receiver = starting.submit(testbed.made.start, "pod-to-pod-receiver", command)
        sender = starting.submit(testbed.made.start, "pod-to-pod-sender", IDLE).result()
    place = PodReceiver(receiver.result())
    run_ = Measurement(testbed.lab, stream, sender, address(sender), place, bystander.result())
    return measure(run_)
