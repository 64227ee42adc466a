"""Run the first plug-in of a CNI configuration list for a network namespace, as a runtime would (CNI 1.0, section 4).

Attaches, pings the gateway of each family from within, detaches, and prints the addresses; fails with what it said.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

NAMESPACE = "molecule"


def run(*argv: str, **options: object) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)}: {done.stdout}{done.stderr}")
    return done.stdout


def plugin(command: str, config: dict) -> str:
    environment = {
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": NAMESPACE,
        "CNI_IFNAME": "eth0",
        "CNI_PATH": "/opt/cni/bin",
    }
    environment["CNI_NETNS"] = f"/run/netns/{NAMESPACE}"
    return run(f"/opt/cni/bin/{config['type']}", input=json.dumps(config), env={**os.environ, **environment})


network = json.loads(Path(sys.argv[1]).read_text())
config = {"cniVersion": network["cniVersion"], "name": network["name"], **network["plugins"][0]}
run("ip", "netns", "add", NAMESPACE)
try:
    result = json.loads(plugin("ADD", config))
    for address in result["ips"]:
        # A bridge without ports has just got one: its IPv6 neighbours take a moment.
        run("ip", "netns", "exec", NAMESPACE, "ping", "-q", "-c", "1", "-w", "10", address["gateway"])
    plugin("DEL", config)
finally:
    run("ip", "netns", "delete", NAMESPACE)
print(" ".join(address["address"] for address in result["ips"]))
