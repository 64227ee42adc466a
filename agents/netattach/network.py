"""A network: a name, a version and the chain of plug-ins that attaches to it (CNI 1.1, section 1)."""

from __future__ import annotations

import json
import os

from . import versions
from .errors import DECODING_FAILURE, INVALID_CONFIG, TRY_AGAIN, CniError, Damaged
from .files import read_json, read_text
from .names import cni_name, plugin_type

OWN_TYPE = "netattach"
_REMEDY = "mend it or remove it; `mcastlab up` writes the lab's own again"

Plugin = dict[str, "object"]


class Network:
    """One network configuration, checked; what it holds goes to the cache and comes back by `to_dict`."""

    def __init__(self, subject: str, config: dict[str, object], name: str = "") -> None:
        """`subject` names the source in messages; `name` is used where the configuration has none (NPWG 3.4.2)."""
        self.config = config
        self.name = str(config.get("name") or name)
        if not cni_name(self.name):
            raise CniError(INVALID_CONFIG, f'{subject} has no valid CNI network name: "{self.name}"')
        self.version = versions.select(subject, config)
        listed = config.get("plugins")
        self.plugins = _plugins(subject, listed if listed is not None else [config])
        self.disable_check = config.get("disableCheck") in (True, "true")
        self.disable_gc = config.get("disableGC") in (True, "true")

    def to_dict(self) -> dict[str, object]:
        """What Network() takes again as `config`."""
        return {**self.config, "name": self.name}

    def has(self, version: str) -> bool:
        """Whether the network is run at `version` or later."""
        return versions.at_least(self.version, version)

    @property
    def shares_addresses(self) -> bool:
        """Whether its addresses are of whereabouts' pools, which the API server keeps for all nodes."""
        ipams = [plugin.get("ipam") for plugin in self.plugins]
        return any(isinstance(ipam, dict) and ipam.get("type") == "whereabouts" for ipam in ipams)

    def capable(self, capability: str) -> bool:
        """Whether a plug-in of the chain declares `capability`."""
        return any(declares(plugin, capability) for plugin in self.plugins)


def declares(plugin: Plugin, capability: str) -> bool:
    """Whether `plugin` declares `capability`."""
    declared = plugin.get("capabilities")
    return isinstance(declared, dict) and declared.get(capability) is True


def _plugins(subject: str, listed: object) -> list[Plugin]:
    if not isinstance(listed, list) or not listed or not all(isinstance(item, dict) for item in listed):
        raise CniError(INVALID_CONFIG, f'{subject}: "plugins" must be a list of at least one plug-in')
    for plugin in listed:
        kind = plugin.get("type")
        if not plugin_type(kind):
            raise CniError(INVALID_CONFIG, f'{subject} has a plug-in whose type is not valid: "{kind}"')
        if kind == OWN_TYPE:
            raise CniError(INVALID_CONFIG, f'{subject} delegates to "{OWN_TYPE}" itself')
    return listed


def parse(subject: str, text: str, name: str = "") -> Network:
    """The network that the JSON in `text` describes."""
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CniError(DECODING_FAILURE, f"{subject} is not JSON", str(error)) from error
    if not isinstance(config, dict):
        raise CniError(DECODING_FAILURE, f"{subject} is not a JSON object")
    return Network(subject, config, name)


def load(path: str) -> Network:
    """The network in the file `path`; CniError 11 while there is no such file (NPWG 6.1.2)."""
    subject = f'the network configuration "{path}"'
    try:
        text = read_text(path, _REMEDY, links=True)
    except FileNotFoundError as error:
        raise CniError(TRY_AGAIN, f"{subject} is not there yet") from error
    return parse(subject, text)


def find_on_disk(folder: str, name: str) -> Network | None:
    """The network named `name` in the files of `folder`: lists first, then single configurations (NPWG 3.4.1).

    Raises Damaged where none that can be read has the name: one that cannot may be it.
    """
    spoilt: list[Damaged] = []
    files = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    for suffixes in ((".conflist",), (".conf", ".json")):
        for file in files:
            path = f"{folder}/{file}"
            if file.endswith(suffixes) and _names(path, name, spoilt):
                return load(path)
    if spoilt:
        raise spoilt[0].about(f'no file that can be read has the network "{name}"')
    return None


def _names(path: str, name: str, spoilt: list[Damaged]) -> bool:
    """Whether the file's own `name` is `name`; one that cannot be read names nothing and joins `spoilt`."""
    try:
        config = read_json(path, _REMEDY, links=True)
    except FileNotFoundError:
        return False
    except Damaged as error:
        spoilt.append(error)
        return False
    return isinstance(config, dict) and config.get("name") == name
