#!/usr/bin/env python3
"""What multicast-policy costs, on bridges in network namespaces of their own; root, clang, no lab. Examples:

    benchmarks/multicast_rules.py throughput                 # bare bridges, old table, empty hooks and policy, in turn
    benchmarks/multicast_rules.py throughput --rounds 100 --size 1200
    benchmarks/multicast_rules.py updates                    # milliseconds for a namespace and for a port; memory

Throughput is datagrams that another pod receives, for a second of the sender's processor time: a bridge and what judges
on it run in the sender's context. Each design has a bridge, pods and sockets that are there all the time, so turns are
short and come often; they are compared with the mean of two bare bridges in the same round. How far those are apart
shows how far that can be trusted. Updates are those of the agent's own thread: from a policy or a record that is
another to maps that hold it, on a bridge with real ports. Nothing is left, however it ends.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import mmap
import os
import queue
import select
import signal
import socket
import statistics
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from policy_labs import BRIDGE, FOLDER, LIBC, UDP_PORTS, compiled, make_bridge, make_labs, port_of, sh

from agents.multicast_policy import bpf, elf, enforcer, hooks, loader
from agents.multicast_policy.model import Policy, Port
from agents.multicast_policy.tables import Tables
from provision.artifacts import bpf_object


def messages(count: int, size: int) -> tuple[ctypes.Array[ctypes.c_char], object]:
    """An array of struct mmsghdr for datagrams of one size; and what has to stay alive with it."""
    data = bpf.buffer(bytes(size))
    vector = bpf.buffer(struct.pack("=QQ", bpf.address(data), size))
    return bpf.buffer(struct.pack("=16xQQ32x", bpf.address(vector), 1) * count), (data, vector)


def use_processor(number: int) -> None:
    """Stay on one of the processors, if there are as many."""
    found = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, found[number : number + 1] or found)


def start_reader(ears: Sequence[socket.socket]) -> memoryview:
    """Have a process of its own empty all sockets; how many datagrams each had, in memory that is shared."""
    counts = memoryview(mmap.mmap(-1, 8 * len(ears))).cast("Q")
    if os.fork():
        return counts
    LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    use_processor(1)
    vectors, _kept = messages(256, 2048)
    poll, places = select.epoll(), {sock.fileno(): place for place, sock in enumerate(ears)}
    for descriptor in places:
        poll.register(descriptor, select.EPOLLIN)
    while True:
        for descriptor, _ in poll.poll():
            while (got := LIBC.recvmmsg(descriptor, vectors, 256, socket.MSG_DONTWAIT, None)) > 0:
                counts[places[descriptor]] += got


def take_turn(sock: socket.socket, counts: memoryview, seconds: float, size: int) -> tuple[float, float]:
    """Send without a pause: datagrams that arrived for a second of this process's time, and the part that was lost."""
    vectors, _kept = messages(64, size)
    sent, before, descriptor = 0, counts[0], sock.fileno()
    begun, worked = time.perf_counter(), time.process_time()
    while time.perf_counter() - begun < seconds:
        for _ in range(8):
            sent += max(LIBC.sendmmsg(descriptor, vectors, 64, 0), 0)
    worked, patience = time.process_time() - worked, time.monotonic() + 0.5
    while counts[0] - before < sent and time.monotonic() < patience:
        time.sleep(0.002)
    return (counts[0] - before) / worked, 1 - (counts[0] - before) / max(sent, 1)


def throughput(rounds: int, seconds: float, size: int) -> None:
    """All designs side by side; each round begins with another."""
    labs = make_labs()
    names = list(labs)
    places = {key: place for place, key in enumerate((kind, name) for kind in UDP_PORTS for name in names)}
    counts = start_reader([labs[name].hears[kind] for kind, name in places])
    use_processor(0)
    time.sleep(11)  # in its first ten seconds a querier floods
    print(f"{rounds} rounds of {seconds} s, {size} octets, kernel {os.uname().release}, load {os.getloadavg()[0]:.2f}")
    for kind in UDP_PORTS:
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
        for number in range(rounds + 1):
            first = number % len(names)
            for name in names[first:] + names[:first]:
                found[name].append(take_turn(labs[name].says[kind], counts[places[kind, name] :], seconds, size))
        report(kind, {name: turns[1:] for name, turns in found.items()})  # the first round warms up
        for lab in labs.values():
            lab.check()


def report(kind: str, found: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """A table, and whether it can be trusted."""
    one, other = [[rate for rate, _ in turns] for turns in list(found.values())[:2]]
    bare = [(a + b) / 2 for a, b in zip(one, other, strict=True)]
    print(f"\n{kind:16} {'k/CPU s':>8} {'of bare':>8} {'quartiles':>13} {'lost':>7}")
    for name, turns in found.items():
        rate, lost = statistics.median(rate for rate, _ in turns), statistics.fmean(lost for _, lost in turns)
        ratios = [rate / mean for (rate, _), mean in zip(turns, bare, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(f"{name:16} {rate / 1e3:8.0f} {middle:8.3f} {low:7.3f}-{high:.3f} {lost:7.2%}")
    apart = abs(statistics.median(a / b for a, b in zip(one, other, strict=True)) - 1)
    print(f"the two bare bridges are {apart:.2%} apart: {'within' if apart <= 0.01 else 'NOT within'} 1 %", flush=True)


class Agent:
    """The agent's own thread, told of another policy and of records that come and go."""

    def __init__(self) -> None:
        self.names = [f"ns-{n}" for n in range(200)]
        *self.ports, self.last = (port_of(n, self.names[n % len(self.names)]) for n in range(1001))
        (FOLDER / "ports").mkdir()
        self._told: queue.SimpleQueue[enforcer.Outcome] = queue.SimpleQueue()
        self.enforcer = enforcer.Enforcer(FOLDER, BRIDGE, self._told.put)
        threading.Thread(target=self.enforcer.run, daemon=True).start()

    def took(self, tell: Callable[[], object], bound: int) -> tuple[float, float]:
        """Milliseconds until it is in force, and of the processor."""
        begun, worked = time.perf_counter(), time.process_time()
        tell()
        outcome = self._told.get(timeout=60)
        found = (time.perf_counter() - begun) * 1000, (time.process_time() - worked) * 1000
        if outcome.error or len(outcome.bound) != bound:
            sys.exit(f"{bound} ports were to be bound, {len(outcome.bound)} are. {outcome.error}")
        return found

    def switch(self, number: int) -> None:
        """Without one of the namespaces; the next time with it again."""
        without = self.names[number // 2 % len(self.names)] if number % 2 else ""
        self.enforcer.set_policy(Policy(number, tuple(name for name in self.names if name != without)))

    def change(self, number: int) -> None:
        """The last port comes; the next time it goes."""
        if number % 2:
            self.record(self.last)
        else:
            (FOLDER / "ports" / f"{self.last.container}@eth0").unlink()
        self.enforcer.request()

    @staticmethod
    def record(port: Port) -> None:
        """What the plug-in writes."""
        (FOLDER / "ports" / f"{port.container}@eth0").write_text(json.dumps({**asdict(port), "port": port.name}))


def updates(rounds: int) -> None:
    """With few ports, and with many."""
    data = compiled(bpf_object.SOURCE)
    loader.ensure(data, elf.parse(data), kind=hooks.KINDS[0])  # nothing is attached: whichever
    sh("ip", "netns", "add", "pods")
    make_bridge()
    agent = Agent()
    print(f"{len(agent.names)} namespaces, load {os.getloadavg()[0]:.2f}; milliseconds, goal 10:")
    agent.took(partial(agent.switch, 0), 0)
    for count, new in ((100, agent.ports[:100]), (1000, agent.ports[100:])):
        links = [port.name for port in ([agent.last, *new] if count == 100 else new)]
        sh("ip", "-batch", "-", lines=[f"link add {name} type veth peer name {name} netns pods" for name in links])
        sh("ip", "-batch", "-", lines=[f"link set {name} master {BRIDGE} up" for name in links])
        for port in new:
            agent.record(port)
        print(f"{count:4} ports, all new to it       {agent.took(agent.enforcer.request, count)[0]:6.1f}")
        for what, action, more in (
            ("a namespace switched", agent.switch, 0),
            ("a port added, removed", agent.change, 1),
        ):
            found = [agent.took(partial(action, n), count + n % 2 * more) for n in range(1, 2 * rounds + 1)]
            wall, worked = zip(*found, strict=True)
            print(f"{count:4} ports, {what:21} {statistics.median(wall):6.1f}, worst {max(wall):.1f} of {len(wall)}; "
                  f"of the processor {statistics.median(worked):.1f}", flush=True)  # fmt: skip
    begun = time.perf_counter()
    Tables().close()
    print(f"reading the maps whole, as the agent does every 5 s: {(time.perf_counter() - begun) * 1000:.1f}")
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    print(f"this process, which has no Kubernetes client, has {pages * mmap.PAGESIZE / (1 << 20):.0f} MiB")


def main() -> None:
    """Each measurement in a network and a mount namespace: the process itself goes there, all it makes goes with it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    modes = parser.add_subparsers(dest="what")
    mode = modes.add_parser("throughput", help="bare bridges, the old table, empty hooks and the policy, in turn")
    mode.add_argument("--rounds", type=int, default=40)
    mode.add_argument("--seconds", type=float, default=0.05, help="of a design's turn in a round")
    mode.add_argument("--size", type=int, default=64, help="octets of a datagram")
    modes.add_parser("updates", help="a namespace, a port").add_argument("--rounds", type=int, default=50)
    options = vars(parser.parse_args())
    what, is_inside = options.pop("what"), options.pop("inside")
    if not what:
        parser.print_help()
        return
    if not is_inside:
        again = [sys.executable, str(Path(__file__).resolve()), "--inside", *sys.argv[1:]]
        os.execvp("unshare", ["unshare", "--net", "--mount", *again])  # noqa: S606, S607
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    sh("mount", "-t", "tmpfs", "bench", "/run")
    sh("mount", "-t", "sysfs", "bench", "/sys")  # of this network namespace
    (FOLDER / "bpf").mkdir(parents=True)
    sh("mount", "-t", "bpf", "bench", str(FOLDER / "bpf"))
    if what == "updates":
        updates(**options)
    else:
        throughput(**options)


if __name__ == "__main__":
    main()
