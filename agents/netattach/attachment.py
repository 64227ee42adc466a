"""An attachment: one network on one interface of one container; its chain run forwards and backwards.

CNI 1.1, section 3: netattach is the runtime of its delegates, and does for each what a runtime must.
"""

from __future__ import annotations

import sys

from .delegate import Runner
from .errors import CniError, PluginMissing
from .network import Network, Plugin, declares
from .results import Result, convert
from .versions import at_least


class Attachment:
    """`title` names it in messages and in the status; `result` is the chain's last result, None before.

    `left` are the places in the chain of the plug-ins whose DEL is to come; None where nobody can tell which ran, since
    their ADD was killed.
    """

    def __init__(self, title: str, network: Network, ifname: str, *, default: bool = False) -> None:
        self.title = title
        self.network = network
        self.ifname = ifname
        self.default = default
        self.capability_args: dict[str, object] = {}
        self.cni_args: dict[str, object] = {}
        self.default_route: list[str] | None = None
        self.result: Result | None = None
        self.left: list[int] | None = None
        self._refused: int | None = None  # the plug-in whose ADD failed, in this call

    def to_dict(self) -> dict[str, object]:
        """What the cache keeps: all that DEL, CHECK and GC need, so that they need nothing else."""
        return {
            "title": self.title,
            "network": self.network.to_dict(),
            "ifname": self.ifname,
            "default": self.default,
            "capabilityArgs": self.capability_args,
            "cniArgs": self.cni_args,
            "result": self.result,
            "left": self.left,
        }

    @staticmethod
    def from_dict(saved: dict[str, object]) -> Attachment:
        """The attachment that `to_dict` gave; KeyError, TypeError or CniError when it is not one."""
        network, args, cni_args, result = (saved[key] for key in ("network", "capabilityArgs", "cniArgs", "result"))
        if not isinstance(network, dict) or not isinstance(args, dict) or not isinstance(cni_args, dict):
            raise TypeError("not an attachment")
        title = str(saved["title"])
        ifname = str(saved["ifname"])
        found = Attachment(title, Network(title, network), ifname, default=saved["default"] is True)
        found.capability_args = args
        found.cni_args = cni_args
        found.result = result if isinstance(result, dict) else None
        left, places = saved.get("left"), range(len(found.network.plugins))
        if isinstance(left, list) and all(place in places for place in left):
            found.left = left
        return found

    def add(self, runner: Runner) -> None:
        """Run ADD through the chain; each plug-in gets the result of the one before it."""
        previous: Result | None = None
        args = self._arguments()
        self.left = []
        for place, plugin in enumerate(self.network.plugins):
            self.left.append(place)
            self._refused = place
            try:
                result = self._run(runner, "ADD", plugin, previous, args)
            except PluginMissing:
                self.left.remove(place)
                raise
            self._refused = None
            if not result and previous is not None:
                result = previous
            result.setdefault("cniVersion", self.network.version)
            previous = self._as_own(result)
            self.result = previous
        if self._asks():
            from .asked import insist

            insist(self.title, self.network, self.capability_args, self.newest_result())

    def check(self, runner: Runner) -> None:
        """Run CHECK through the chain; nothing for a network below 0.4.0 or with disableCheck."""
        if not self.network.has("0.4.0") or self.network.disable_check:
            return
        for plugin in self.network.plugins:
            self._run(runner, "CHECK", plugin, self.result)

    def delete(self, runner: Runner) -> None:
        """Run DEL backwards through what is left of the chain; what succeeded is not repeated after a failure.

        A plug-in that is missing is passed over: it can free nothing. A failure ends it, so that what an earlier
        plug-in holds (an address) is not given away while a later one (a port mapping) still refers to it; but for the
        plug-in whose own ADD has failed, which nothing refers to.
        """
        previous = self.result if self.network.has("0.4.0") else None
        left = list(range(len(self.network.plugins))) if self.left is None else self.left
        self.left = list(left)
        refused: CniError | None = None
        for place in reversed(left):
            try:
                self._run(runner, "DEL", self.network.plugins[place], previous)
            except PluginMissing as error:
                sys.stderr.write(f"netattach: passed over at DEL: {error}\n")
            except CniError as error:
                if place != self._refused:
                    raise
                refused = error
                continue
            self.left.remove(place)
        if refused:
            raise refused

    def newest_result(self) -> Result:
        """The result at CNI 1.1.0."""
        return convert(self.result or {}, "1.1.0")

    def _as_own(self, result: Result) -> Result:
        """`result` at the network's version; 0.1.0 and 0.2.0 results stay as they are, nothing converts to them."""
        own = self.network.version
        return convert(result, own) if at_least(own, "0.3.0") else result

    def _asks(self) -> bool:
        """Whether the pod asks for addresses of its own; `asked` is loaded for such only."""
        return not self.default and ("ips" in self.capability_args or "mac" in self.capability_args)

    def _arguments(self) -> str:
        if not self._asks():
            return ""
        from .asked import arguments

        return arguments(self.network, self.capability_args)

    def _run(self, runner: Runner, command: str, plugin: Plugin, previous: Result | None, args: str = "") -> Result:
        try:
            return runner.run(command, self.ifname, self._configuration(plugin, previous), args)
        except CniError as error:
            raise error.about(f'network "{self.title}" on "{self.ifname}"') from error

    def _configuration(self, plugin: Plugin, previous: Result | None) -> dict[str, object]:
        """The request configuration of one plug-in (CNI 1.1, "Deriving request configuration")."""
        config = plugin_configuration(self.network, plugin)
        runtime = {key: value for key, value in self.capability_args.items() if declares(plugin, key)}
        if runtime:
            config["runtimeConfig"] = runtime
        if self.cni_args:
            config["args"] = _with_cni_args(config.get("args"), self.cni_args)
        if previous is not None:
            config["prevResult"] = previous
        return config


def plugin_configuration(network: Network, plugin: Plugin) -> dict[str, object]:
    """A plug-in's configuration with the network's name and version, and without what only a runtime reads."""
    config = {key: value for key, value in plugin.items() if key not in ("capabilities", "cniVersions")}
    config["name"] = network.name
    config["cniVersion"] = network.version
    return config


def _with_cni_args(own: object, wanted: dict[str, object]) -> dict[str, object]:
    """`args` of the configuration with `wanted` in its `cni` part; the pod's values win (NPWG 4.1.2.1.6.2)."""
    args = dict(own) if isinstance(own, dict) else {}
    cni = args.get("cni")
    args["cni"] = {**(cni if isinstance(cni, dict) else {}), **wanted}
    return args
