"""STATUS: whether an ADD could be served now. containerd asks every few seconds, so this imports little."""

from __future__ import annotations

from .attachment import plugin_configuration
from .context import Context
from .errors import NOT_AVAILABLE, CniError
from .request import Request


def status(request: Request) -> None:
    """Raise CniError 50 while the default network's configuration or a plug-in of it is missing.

    The API server and netattach's credentials do not count: pods without second networks need neither.
    """
    context = Context(request)
    runner = context.runner("", "")
    try:
        context.store.prepare()
        network = context.default_attachment().network
        for plugin in network.plugins:
            runner.find(str(plugin["type"]))
            ipam = plugin.get("ipam")
            if isinstance(ipam, dict) and ipam.get("type"):
                runner.find(str(ipam["type"]))
    except CniError as error:
        raise CniError(NOT_AVAILABLE, error.msg, error.details) from error
    if network.has("1.1.0"):
        for plugin in network.plugins:
            runner.run("STATUS", "", plugin_configuration(network, plugin))
