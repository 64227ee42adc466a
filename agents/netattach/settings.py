"""netattach's own configuration: the keys of its plug-in object in `00-netattach.conflist`."""

from __future__ import annotations

from .errors import INVALID_CONFIG, UNSUPPORTED_FIELD, CniError

Defaults = dict[str, "object"]

DEFAULTS: Defaults = {
    "defaultNetwork": "/etc/cni/net.d/10-pods.conflist",
    "confDir": "/etc/cni/net.d",
    "binDirs": ["/opt/cni/bin"],
    "kubeconfig": "/etc/cni/net.d/netattach.d/kubeconfig",
    "poolsKubeconfig": "/etc/cni/net.d/whereabouts.d/kubeconfig",
    "cacheDir": "/var/lib/cni/netattach",
    "runtimeCacheDir": "/var/lib/cni/results",
    "multusCacheDir": "/var/lib/cni/multus",
    "leasesDir": "/var/lib/cni/networks",
    "sharedNamespaces": [],
    "tenants": "/etc/cni/net.d/netattach.d/tenants.json",
    "apiTimeoutSeconds": 20,
    "delegateTimeoutSeconds": 120,
}
# Keys that the protocol itself puts in a plug-in's configuration.
_PROTOCOL = ("cniVersion", "name", "type", "capabilities", "runtimeConfig", "prevResult", "args")


class Settings:
    """The configuration with defaults filled in.

    Raises CniError 2 for a key that netattach does not know and 7 for a value that is not of the key's kind.
    """

    def __init__(self, config: dict[str, object]) -> None:
        for key, value in config.items():
            if key not in DEFAULTS and key not in _PROTOCOL and not key.startswith("cni.dev/"):
                raise CniError(UNSUPPORTED_FIELD, f'netattach has no option "{key}" (its value is "{value}")')
        self.default_network = _text(config, "defaultNetwork")
        self.conf_dir = _text(config, "confDir")
        self.bin_dirs = _texts(config, "binDirs")
        self.kubeconfig = _text(config, "kubeconfig")
        self.pools_kubeconfig = _text(config, "poolsKubeconfig")
        self.cache_dir = _text(config, "cacheDir")
        self.runtime_cache_dir = _text(config, "runtimeCacheDir")
        self.multus_cache_dir = _text(config, "multusCacheDir")
        self.leases_dir = _text(config, "leasesDir")
        self.shared_namespaces = _texts(config, "sharedNamespaces")
        self.tenants = _text(config, "tenants")
        self.api_timeout = _seconds(config, "apiTimeoutSeconds")
        self.delegate_timeout = _seconds(config, "delegateTimeoutSeconds")


def from_json(text: str) -> dict[str, object]:
    """Settings given on a command line; ValueError where they are no JSON object."""
    import json

    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(text)
    return found


def _value(config: dict[str, object], key: str) -> object:
    value = config.get(key)
    return DEFAULTS[key] if value is None else value


def _text(config: dict[str, object], key: str) -> str:
    value = _value(config, key)
    if not isinstance(value, str) or not value.startswith("/"):
        raise CniError(INVALID_CONFIG, f'netattach\'s option "{key}" must be an absolute path, not "{value}"')
    return value


def _texts(config: dict[str, object], key: str) -> list[str]:
    value = _value(config, key)
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise CniError(INVALID_CONFIG, f'netattach\'s option "{key}" must be a list of strings, not "{value}"')
    return list(value)


def _seconds(config: dict[str, object], key: str) -> float:
    value = _value(config, key)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise CniError(INVALID_CONFIG, f'netattach\'s option "{key}" must be a number of seconds, not "{value}"')
    return float(value)
