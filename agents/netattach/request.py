"""One call from the runtime: its environment and its standard input (CNI 1.1, section 2)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from .errors import BAD_ENVIRONMENT, DECODING_FAILURE, INCOMPATIBLE_VERSION, INVALID_CONFIG, CniError
from .names import cni_name, interface_name
from .versions import NEWEST, SPOKEN, at_least

# The annotation that selects networks (NPWG 4.1), and the capability by which the runtime hands annotations over.
NETWORKS = "k8s.v1.cni.cncf.io/networks"
ANNOTATIONS = "io.kubernetes.cri.pod-annotations"

# A pod's interface on its first network: kubelet's runtimes know no other.
FIRST_INTERFACE = "eth0"
# Where kubelet has a pod from: "api", or "file" or "http" for a static one.
_SOURCE = "kubernetes.io/config.source"

_NEEDED = {
    "ADD": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"),
    "CHECK": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"),
    "DEL": ("CNI_CONTAINERID", "CNI_IFNAME"),
    "GC": ("CNI_PATH",),
    "STATUS": (),
    "VERSION": (),
}
# The first version that has the command.
_SINCE = {"CHECK": "0.4.0", "GC": "1.1.0", "STATUS": "1.1.0"}


class Request:
    """What the runtime asks: the command, the attachment's parameters and netattach's own configuration."""

    def __init__(self, environ: Mapping[str, str], stdin: bytes) -> None:
        self.command = environ.get("CNI_COMMAND", "")
        self.version = NEWEST
        self._check_environment(environ)
        self.container_id = environ.get("CNI_CONTAINERID", "")
        self.netns = environ.get("CNI_NETNS", "")
        self.ifname = environ.get("CNI_IFNAME", "")
        self.args = environ.get("CNI_ARGS", "")
        self.path = [folder for folder in environ.get("CNI_PATH", "").split(os.pathsep) if folder]
        self.config = self._decode(stdin)

    def _check_environment(self, environ: Mapping[str, str]) -> None:
        if self.command not in _NEEDED:
            raise CniError(
                BAD_ENVIRONMENT,
                f'CNI_COMMAND is "{self.command}"; netattach is a CNI plug-in and knows {", ".join(_NEEDED)}',
            )
        missing = [name for name in _NEEDED[self.command] if not environ.get(name)]
        if missing:
            raise CniError(BAD_ENVIRONMENT, f"{self.command} needs {', '.join(missing)} in the environment")
        for name, valid in (("CNI_CONTAINERID", cni_name), ("CNI_IFNAME", interface_name)):
            value = environ.get(name, "")
            if value and not valid(value):
                raise CniError(BAD_ENVIRONMENT, f'{name} "{value}" is not valid')

    def _decode(self, stdin: bytes) -> dict[str, object]:
        if self.command == "VERSION" and not stdin.strip():
            return {}
        try:
            config = json.loads(stdin)
        except ValueError as error:
            raise CniError(DECODING_FAILURE, "the configuration on standard input is not JSON", str(error)) from error
        if not isinstance(config, dict):
            raise CniError(DECODING_FAILURE, "the configuration on standard input is not a JSON object")
        if self.command == "VERSION":
            return config
        version = str(config.get("cniVersion") or "")
        if version not in SPOKEN:
            raise CniError(
                INCOMPATIBLE_VERSION,
                f'netattach does not speak CNI version "{version}"',
                f"versions spoken: {', '.join(SPOKEN)}",
            )
        since = _SINCE.get(self.command)
        if since and not at_least(version, since):
            raise CniError(INCOMPATIBLE_VERSION, f"CNI version {version} has no {self.command}")
        self.version = version
        if not cni_name(str(config.get("name") or "")):
            raise CniError(INVALID_CONFIG, f'the network name "{config.get("name")}" is not valid')
        return config

    @property
    def runtime_config(self) -> dict[str, object]:
        """The capability arguments that the runtime hands over."""
        found = self.config.get("runtimeConfig")
        return found if isinstance(found, dict) else {}

    @property
    def static(self) -> bool:
        """Whether kubelet has the pod from a file or an address of its own, and the API server but a mirror of it."""
        annotations = self.runtime_config.get(ANNOTATIONS)
        return isinstance(annotations, dict) and annotations.get(_SOURCE, "api") != "api"

    def pod(self) -> Pod | None:
        """The pod that this call is about, by the arguments that Kubernetes' runtimes pass; None without them."""
        pairs = dict(pair.partition("=")[::2] for pair in self.args.split(";") if "=" in pair)
        namespace, name = pairs.get("K8S_POD_NAMESPACE", ""), pairs.get("K8S_POD_NAME", "")
        return Pod(namespace, name, pairs.get("K8S_POD_UID", "")) if namespace and name else None


class Pod:
    """A pod as the runtime names it; `uid` is empty where the runtime does not tell it."""

    def __init__(self, namespace: str, name: str, uid: str) -> None:
        self.namespace = namespace
        self.name = name
        self.uid = uid

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"
