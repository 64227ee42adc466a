"""host-to-host: the node receives multicast from the source host; needs no working cluster."""

from __future__ import annotations

from provision.checks.measure import measure
from provision.checks.result import Outcome
from provision.core.wait import Deadline, NotYet, until
from provision.traffic import iperf
from provision.traffic.bystander import Bystander, listen_argv
from provision.traffic.observe import Measurement
from provision.traffic.places import HostReceiver
from provision.traffic.testbed import Testbed


def run(testbed: Testbed) -> Outcome:
    sender, source = testbed.source()
    stream = testbed.stream("host-to-host")
    node = testbed.lab.control_plane
    place = testbed.host(node.name)
    # The bystander is a process of the receiving host, so that this check tells LAN and cluster apart.
    bystander = place.remote.start(listen_argv((stream.port,), shared=True))
    receiver = place.remote.start(iperf.receiver_argv(stream.group, place.interface, stream.port))
    try:

        def probe() -> bool | NotYet:
            started = "listening" in bystander.stdout or not bystander.running
            return True if started else NotYet("no output yet")

        until("the bystander to listen", probe, Deadline.after(10), interval=0.05)
        run_ = Measurement(
            testbed.lab, stream, sender, source, HostReceiver(place, receiver), Bystander(str(node.address))
        )
        return measure(run_)
    finally:
        receiver.end()
        bystander.end()
