"""What the rules of multicast-policy cost, on bridges in network namespaces; root, no lab. Usage:

    benchmarks/multicast_rules.py updates              # 200 namespaces and 100 ports: seconds for an update, memory
    benchmarks/multicast_rules.py throughput           # two pods with and without the policy, interleaved

Throughput is in datagrams received a second from a sender that never waits, and the sender's processor time for each:
the bridge and its rules run in the sender's context, so that is where they cost. Rounds alternate between the policy,
the same bridge without it, and one with the policy's hooks and no rules in them, in both orders, so that what else the
machine does meets all alike. What `hooks` loses against `none`, no rules can win back.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from agents.multicast_policy import nft, rules  # noqa: E402
from agents.multicast_policy.model import Policy, Port  # noqa: E402
from provision.templating import render_file  # noqa: E402

GROUP = "239.1.1.1"
HOOKS = ("prerouting", "forward", "input", "output")


def sh(*commands: str) -> str:
    """Run each command line; the output of all."""
    return "".join(subprocess.run(line.split(), check=True, capture_output=True, text=True).stdout for line in commands)


def base(folder: Path) -> Path:
    """The default drop as the role renders it."""
    path = folder / "base.nft"
    template = ROOT / "roles/multicast_policy/templates/base.nft.j2"
    path.write_text(render_file(template, {"multicast_policy_bridge": "cni0", "scoped": False}))
    return path


def ports(count: int, namespaces: int) -> list[Port]:
    """`count` ports, dealt out over the namespaces."""
    return [
        Port(f"veth{n}", f"c{n}", f"ns-{n % namespaces}", f"pod-{n}", (f"10.244.{n // 250}.{n % 250 + 2}",
             f"fd00:10:244::{n + 2:x}"), f"0a:58:0a:f4:{n // 250:02x}:{n % 250 + 2:02x}")
        for n in range(count)
    ]  # fmt: skip


def updates(folder: Path, rounds: int) -> None:
    """Seconds from a changed policy to rules in force, all of it: listing, document, nft, commit."""
    for namespaces, count in ((200, 100), (200, 1000)):
        nft.load(base(folder))
        found, names = ports(count, namespaces), tuple(f"ns-{n}" for n in range(namespaces))
        took, worked = [], processor()
        for number in range(rounds):
            # A namespace fewer each second time: what a switch does.
            policy = Policy(number, names[: namespaces - number % 2])
            started = time.perf_counter()
            present = rules.Present.of(nft.listing() or {"nftables": []})
            nft.apply(rules.document(policy, found, present))
            took.append(time.perf_counter() - started)
        worked = (processor() - worked) / rounds
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(
            f"{namespaces} namespaces, {count:4} ports: median {statistics.median(took):.3f} s, "
            f"worst {max(took):.3f} s of {rounds}, of the processor {worked:.3f} s; nft has up to {children:.0f} MiB"
        )
        sh("nft delete table bridge mcastlab")
    print(f"this process, which has the rules' code and no Kubernetes client: {rss():.0f} MiB")


def processor() -> float:
    """Seconds of processor time that this process and its children have had."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def rss() -> float:
    """Resident memory of this process in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


def pods() -> list[Port]:
    """A bridge with two pods, each a network namespace."""
    sh("ip link add cni0 type bridge mcast_snooping 1 mcast_querier 1 mcast_igmp_version 3",
       "ip address add 10.244.0.1/24 dev cni0", "ip link set cni0 up")  # fmt: skip
    made = []
    for number in (0, 1):
        pod = f"bench{number}"
        sh(f"ip netns add {pod}", f"ip link add veth{number} type veth peer name eth0 netns {pod}",
           f"ip link set veth{number} master cni0 up", f"ip -n {pod} address add 10.244.0.{number + 2}/24 dev eth0",
           f"ip -n {pod} link set eth0 up", f"ip -n {pod} route add default via 10.244.0.1")  # fmt: skip
        mac = json.loads(sh(f"ip -n {pod} -j link show eth0"))[0]["address"]
        made.append(Port(f"veth{number}", pod, "green", pod, (f"10.244.0.{number + 2}",), mac))
    return made


def measure(seconds: float, size: int) -> tuple[float, float]:
    """What one pod receives of all that the other can send, in datagrams a second; and what each costs that, in us."""
    here = [sys.executable, str(Path(__file__).resolve())]
    listen = ["ip", "netns", "exec", "bench1", *here, "receive", "--seconds", str(seconds)]
    receiver = subprocess.Popen(listen, stdout=subprocess.PIPE, text=True)
    if not receiver.stdout or receiver.stdout.readline() != "ready\n":
        sys.exit("the receiver did not start")
    send = ["ip", "netns", "exec", "bench0", *here, "send", "--seconds", str(seconds), "--size", str(size)]
    cost = float(subprocess.run(send, check=True, capture_output=True, text=True).stdout)
    out, _ = receiver.communicate(timeout=30)
    return float(out), cost


def send(seconds: float, size: int) -> None:
    """Send to the group without a pause; print the microseconds of processor time for each datagram."""
    import socket

    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect((GROUP, 5005))
    data, end, count = bytes(size), time.monotonic() + seconds, 0
    worked = processor()
    while time.monotonic() < end:
        for _ in range(100):
            sock.send(data)
        count += 100
    print((processor() - worked) / count * 1e6)


def receive(seconds: float) -> None:
    """Count what comes within `seconds` of the first datagram; print it as a rate."""
    import socket
    import struct

    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE, asm-generic/socket.h
    sock.bind((GROUP, 5005))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack("=4sl", socket.inet_aton(GROUP), 0))
    print("ready", flush=True)
    sock.recv(9000)
    count, started = 1, time.monotonic()
    while time.monotonic() - started < seconds * 0.9:
        sock.recv(9000)
        count += 1
    print(count / (time.monotonic() - started))


def throughput(folder: Path, rounds: int, seconds: float, size: int) -> None:
    """Rates and costs with the policy, with its hooks alone and without both, each second round the other way round."""
    found, kinds = pods(), ("none", "hooks", "policy")
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    costs: dict[str, list[float]] = {kind: [] for kind in kinds}
    try:
        time.sleep(11)  # in its first ten seconds a querier floods
        for number in range(rounds):
            for kind in kinds if number % 2 else kinds[::-1]:
                if kind != "none":
                    nft.load(base(folder))
                if kind == "policy":
                    nft.apply(rules.document(Policy(1, ("green",)), found, rules.Present()))
                if kind == "hooks":
                    sh(*(f"nft flush chain bridge mcastlab {hook}" for hook in HOOKS))
                rate, cost = measure(seconds, size)
                rates[kind].append(rate)
                costs[kind].append(cost)
                if kind != "none":
                    sh("nft delete table bridge mcastlab")
    finally:
        sh("ip netns del bench0", "ip netns del bench1")
    for kind in kinds:
        pairs = [one / other for one, other in zip(rates[kind], rates["none"], strict=True)]
        print(
            f"{kind:<7} median {statistics.median(rates[kind]):7.0f}/s  best {max(rates[kind]):7.0f}/s  of {rounds}; "
            f"to none {statistics.median(pairs):.3f}; a datagram costs at best {min(costs[kind]):.2f} us, "
            f"to none {min(costs['none']) / min(costs[kind]):.3f}"
        )


def main() -> None:
    """Each measurement in a network namespace of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["updates", "throughput", "send", "receive"])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--size", type=int, default=1200, help="bytes of a datagram")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.what == "send":
        send(options.seconds, options.size)
    elif options.what == "receive":
        receive(options.seconds)
    elif not options.inside:
        # --mount as well: /run/netns and /sys of this namespace.
        again = ["unshare", "--net", "--mount", sys.executable, *sys.argv, "--inside"]
        raise SystemExit(subprocess.run(again, check=False).returncode)
    else:
        sh("ip link set lo up")
        with tempfile.TemporaryDirectory() as name:
            if options.what == "updates":
                updates(Path(name), options.rounds)
            else:
                throughput(Path(name), options.rounds, options.seconds, options.size)


if __name__ == "__main__":
    main()
