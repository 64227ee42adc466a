"""What every verb starts from: the settings, the store and a runner for this call's container."""

from __future__ import annotations

import os

from .attachment import Attachment
from .delegate import Runner
from .errors import CniError
from .network import load
from .request import Pod, Request
from .settings import Settings
from .store import Record, Store, new_record


class Context:
    """One call, with its configuration read and checked."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.settings = Settings(request.config)
        self.store = Store(self.settings.cache_dir)

    def runner(self, container_id: str, netns: str, pod: Pod | None = None) -> Runner:
        """Runs delegates for `container_id`, also from the folders that the runtime named."""
        return runner(self.settings, self.request.path, container_id, netns, pod)

    def own_runner(self) -> Runner:
        """Runs delegates for the container of this call."""
        return self.runner(self.request.container_id, self.request.netns)

    def default_attachment(self) -> Attachment:
        """The attachment to the cluster-wide default network, whose chain gets what the runtime hands over."""
        network = load(self.settings.default_network)
        attachment = Attachment(network.name, network, self.request.ifname, default=True)
        attachment.capability_args = self.request.runtime_config
        return attachment

    def adopt(self) -> Record | None:
        """The record of this call's container where Multus attached it, or None; from here on it is netattach's.

        Raises Damaged where Multus' file cannot be read.
        """
        folder = self.settings.multus_cache_dir
        if not os.path.lexists(f"{folder}/{self.request.container_id}"):
            return None
        from . import multus_cache

        return multus_cache.adopt(self.store, folder, new_record(self.request))


def runner(settings: Settings, path: list[str], container_id: str, netns: str, pod: Pod | None = None) -> Runner:
    """Runs delegates for `container_id`, with the rest of the environment as netattach got it.

    Where no runtime asks, `pod` is whom to name: whereabouts frees nothing for a call without a pod's name.
    """
    folders = list(dict.fromkeys([*path, *settings.bin_dirs]))
    environ = dict(os.environ)
    for name, value in (
        ("CNI_CONTAINERID", container_id),
        ("CNI_NETNS", netns),
        ("CNI_PATH", os.pathsep.join(folders)),
    ):
        environ[name] = value
        if not value:
            del environ[name]
    if pod:
        environ["CNI_ARGS"] = f"IgnoreUnknown=1;K8S_POD_NAMESPACE={pod.namespace};K8S_POD_NAME={pod.name}"
    return Runner(folders, environ, settings.delegate_timeout)


def detach(record: Record, runner: Runner, settings: Settings) -> list[CniError]:
    """DEL every attachment of `record`, last first.

    One that fails stays in the record and does not stop the others (NPWG 7.2). So does one whose address is kept by an
    API server that does not answer: whereabouts would say that it has given it back.
    """
    failures = []
    for attachment in reversed(list(record.attachments)):
        try:
            if attachment.network.shares_addresses:
                from .pools import must_answer

                must_answer(settings.pools_kubeconfig)
            attachment.delete(runner)
            record.attachments.remove(attachment)
        except CniError as error:
            failures.append(error)
    return failures


def settle(store: Store, record: Record) -> None:
    """Remember what `detach` left, or forget the record when nothing is."""
    if record.attachments:
        store.save(record)
    else:
        store.remove(record)
