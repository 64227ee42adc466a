"""Run on a node: start as many pods as asked for through the CNI, four at a time, none of which can start.

    python3 failing_pods.py COUNT NAMESPACE NETWORK

Each has a network namespace of its own, which goes with it; none is known to the API server, and nobody sends a DEL, as
containerd does after an ADD that never completed. Prints a JSON object: {"failed": COUNT, "said": [MESSAGE, …]}.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CONFIGURATION = Path("/etc/cni/net.d/00-netattach.conflist")


def fail(namespace: str, network: str) -> str:
    """One pod's ADD; what it says, empty where it succeeds."""
    chain = json.loads(CONFIGURATION.read_text(encoding="utf-8"))
    config = {**chain["plugins"][0], "name": chain["name"], "cniVersion": chain["cniVersion"]}
    del config["capabilities"]
    annotations = {"k8s.v1.cni.cncf.io/networks": f"{network}@eth1"}
    config["runtimeConfig"] = {"io.kubernetes.cri.pod-annotations": annotations}
    sandbox = uuid.uuid4().hex * 2
    pod = f"K8S_POD_NAMESPACE={namespace};K8S_POD_NAME=failing-{sandbox[:8]};K8S_POD_UID={uuid.uuid4()}"
    environment = {
        **os.environ, "CNI_COMMAND": "ADD", "CNI_CONTAINERID": sandbox, "CNI_NETNS": f"/run/netns/{sandbox}",
        "CNI_IFNAME": "eth0", "CNI_PATH": "/opt/cni/bin",
        "CNI_ARGS": f"IgnoreUnknown=1;K8S_POD_INFRA_CONTAINER_ID={sandbox};{pod}",
    }  # fmt: skip
    subprocess.run(["ip", "netns", "add", sandbox], check=True)
    try:
        done = subprocess.run(
            ["/opt/cni/bin/netattach"], input=json.dumps(config), env=environment,
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
    finally:
        subprocess.run(["ip", "netns", "delete", sandbox], check=True)
    return str(json.loads(done.stdout)["msg"]) if done.returncode else ""


def main(count: str, namespace: str, network: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        said = [text for text in pool.map(lambda _: fail(namespace, network), range(int(count))) if text]
    print(json.dumps({"failed": len(said), "said": sorted(set(said))[:3]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
