"""cluster-dns: a pod on the pod network resolves the API's name through the DNS service's ClusterIP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from ipaddress import ip_address

from provision.checks.result import LIKELY, Figure, Outcome, failed, not_applicable, passed
from provision.traffic.testbed import Testbed

_NAME = "kubernetes.default.svc"
_SECONDS = 90.0
# Runs in the pod. It asks for up to a minute: CoreDNS becomes ready later than the node, after a power cut by 30 s.
_SCRIPT = """
import json, socket, sys, time
servers = [line.split()[1] for line in open("/etc/resolv.conf") if line.startswith("nameserver")]
answers, error, started = [], "", time.monotonic()
while not answers and time.monotonic() - started < 60:
    try:
        found = socket.getaddrinfo(sys.argv[1], 443, type=socket.SOCK_STREAM)
        answers = sorted({entry[4][0] for entry in found})
    except OSError as failure:
        error = str(failure)
        time.sleep(0.3)
seconds = time.monotonic() - started
print(json.dumps({"servers": servers, "answers": answers, "error": error, "seconds": seconds}))
"""


def run(testbed: Testbed) -> Outcome:
    if testbed.foreign and not _addresses(testbed, "kube-system", "kube-dns"):
        return not_applicable("This cluster's DNS is not the Service kube-system/kube-dns")
    place = testbed.outsider()
    argv = ["env", "RES_OPTIONS=timeout:1 attempts:1", "python3", "-I", "-S", "-c", _SCRIPT, _NAME]
    output = place.run(argv, _SECONDS).stdout
    dns = _addresses(testbed, "kube-system", "kube-dns")
    api = _addresses(testbed, "default", "kubernetes")
    return judge(output, dns, api)


def judge(output: str, dns: Sequence[str], api: Sequence[str]) -> Outcome:
    """Compare what the pod used and got with the ClusterIPs that the API shows of the DNS service and of itself."""
    try:
        seen = json.loads(output)
        servers, answers, error = seen["servers"], seen["answers"], seen["error"]
    except (ValueError, KeyError, TypeError):
        return failed("The pod that asks printed no answer", evidence=(output,))
    used = Figure("answer_after", round(seen["seconds"], 2), "s")
    if not servers or any(server not in dns for server in servers):
        asked = ", ".join(servers) or "no name server"
        return failed(f"The pod asks {asked}, but the DNS service has {', '.join(dns) or 'no address'}", used)
    if not answers:
        return failed(
            f"'{_NAME}' was not resolved by {servers[0]}: {error}{LIKELY}replies from a pod on the same node are lost",
            used,
            remedy="Set bridge-nf-call-iptables and ip_forward to 1 on the node, where the DNS pods are ready",
        )
    wrong = [answer for answer in answers if answer not in api]
    missing = [address for address in api if ip_address(address).version == 4 and address not in answers]
    if wrong or missing:
        return failed(f"'{_NAME}' resolves to {', '.join(answers)}, but the API has {', '.join(api)}", used)
    return passed(f"{servers[0]} resolves '{_NAME}' to {', '.join(answers)}", used)


def _addresses(testbed: Testbed, namespace: str, service: str) -> list[str]:
    """The ClusterIPs of a service, none when there is no such service."""
    found = testbed.kube.find(f"/api/v1/namespaces/{namespace}/services/{service}")
    return list(found["spec"].get("clusterIPs", [])) if found else []
