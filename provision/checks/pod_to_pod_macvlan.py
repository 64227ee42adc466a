"""pod-to-pod-macvlan: a pod receives from another pod, both on the multicast LAN by macvlan."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from provision.checks import iperf
from provision.checks.context import Bench
from provision.checks.places import PodReceiver, address
from provision.checks.result import Outcome
from provision.checks.traffic import Run, measure
from provision.render import POD_INTERFACE

# The sender's commands are run in it one by one. The kernel spares process 1 a SIGTERM that it has no handler for.
_IDLE_SOURCE = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit()); signal.pause()"
_IDLE = ["python3", "-I", "-S", "-c", _IDLE_SOURCE]


def run(bench: Bench) -> Outcome:
    bystander = bench.bystander()
    stream = bench.stream("pod-to-pod-macvlan")
    command = iperf.receiver_argv(stream.group, POD_INTERFACE, stream.port)
    with ThreadPoolExecutor(2) as starting:
        receiver = starting.submit(bench.made.start, "pod-to-pod-receiver", command)
        sender = starting.submit(bench.made.start, "pod-to-pod-sender", _IDLE).result()
    place = PodReceiver(receiver.result())
    return measure(Run(bench.lab, stream, sender, address(sender), place, bystander.result()))
