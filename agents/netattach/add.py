"""ADD: the default network first, then every network that the pod's annotation names, all or none."""

from __future__ import annotations

from collections.abc import Callable

from .attachment import Attachment
from .context import Context, detach, settle
from .delegate import Runner
from .errors import ALREADY_ATTACHED, INVALID_CONFIG, TRY_AGAIN, CniError
from .later import Later
from .request import ANNOTATIONS, NETWORKS, Pod, Request
from .results import Result, convert
from .store import Record, new_record

TYPE_CHECKING = False  # what `typing` has under this name, without its start-up time
if TYPE_CHECKING:  # loaded for annotated pods only, by _attach_selected
    from .annotation import Selection
    from .api import Api
    from .later import Found

_LOCK_WAIT = 30.0


def add(request: Request) -> Result:
    """Attach the container; the default network's result, at the runtime's version."""
    context = Context(request)
    pod, wanted = request.pod(), _annotation(request)
    context.store.prepare()
    with context.store.lock(request.container_id, request.ifname, _LOCK_WAIT):
        if context.store.load(request.container_id, request.ifname) is not None:
            raise CniError(
                ALREADY_ATTACHED,
                f'"{request.ifname}" of the container "{request.container_id}" is attached already; DEL comes first',
            )
        record = new_record(request)
        if pod is None or not wanted:
            _attach(context, record, context.default_attachment())
        else:
            _attach_selected(context, record, pod, wanted)
    return convert(record.attachments[0].newest_result(), request.version)


def _annotation(request: Request) -> str:
    """The pod's networks annotation, empty where it has none; no API call is needed to know.

    Raises CniError 7 for a pod whose runtime does not hand its annotations over: nobody can tell what it wants.
    """
    if request.pod() is not None and ANNOTATIONS not in request.runtime_config:
        raise CniError(
            INVALID_CONFIG,
            f'the container runtime does not hand over the pod\'s annotations (capability "{ANNOTATIONS}")',
            "netattach needs that capability in its conflist, and a runtime that knows it, as containerd 2 does",
        )
    annotations = request.runtime_config.get(ANNOTATIONS)
    value = annotations.get(NETWORKS) if isinstance(annotations, dict) else None
    return value.strip() if isinstance(value, str) else ""


def _attach_selected(context: Context, record: Record, pod: Pod, wanted: str) -> None:
    """Attach with the annotation's networks. They are looked up while the default network attaches.

    What speaks to the API server is loaded in that time as well: TLS alone takes as long as a plug-in's start.
    """
    from .annotation import parse

    try:
        selections = parse(wanted, pod.namespace)
        names = interface_names(selections, context.request.ifname)
        first = context.default_attachment()
        looked_up = Later(lambda: _look_up(context, pod, selections, names))
        _attach(context, record, first, lambda: looked_up.result()[1])
    except CniError as error:
        if error.code != TRY_AGAIN:  # what passes by itself is kubelet's to tell; mostly it is the API that is away
            _write_event(context, pod, error)
        raise
    api, _ = looked_up.result()
    from . import publish

    publish.write_passed_over(api, pod, selections)
    _tell_status(context, api, pod, record)


def _write_event(context: Context, pod: Pod, error: CniError) -> None:
    from . import publish
    from .api import Api

    publish.write_event(Api(context.settings.kubeconfig, context.settings.api_timeout), pod, error)


def _tell_status(context: Context, api: Api, pod: Pod, record: Record) -> None:
    """Write the network status; the pod has its networks, and only the notice of them can be missing."""
    from . import publish
    from .default_route import lost_cluster

    if families := lost_cluster(record.attachments):
        publish.write_lost_cluster(api, pod, families)
    static = context.request.static
    try:
        written = (publish.write_mirror_status if static else publish.write_status)(api, pod, record.attachments)
    except CniError as error:
        written = False
        publish.write_event(api, pod, error.about("the networks are attached, their status could not be written"))
    else:
        if not written and not static:
            publish.warn(f'the pod "{pod}" is gone or another one by now; its network status was not written')
    if static and not written:  # its mirror may not be there yet: the reconciler writes it
        record.untold = True
        context.store.save(record, durable=True)


def _look_up(context: Context, pod: Pod, selections: list[Selection], names: list[str]) -> Found:
    """The API server's connection, and an attachment for each selection."""
    from .api import Api
    from .limits import Limits
    from .nads import Networks
    from .trust import Trust

    api = Api(context.settings.kubeconfig, context.settings.api_timeout)
    trust = Trust(api, context.settings)
    limits = Limits(context.store, trust, pod)
    limits.selections(selections)
    networks = Networks(api, context.settings, trust)
    planned = []
    for selection, ifname in zip(selections, names, strict=True):
        network = networks.resolve(selection, pod.namespace)
        limits.take(selection.title)
        attachment = Attachment(selection.title, network, ifname)
        attachment.capability_args = selection.capability_args
        attachment.cni_args = selection.cni_args
        attachment.default_route = selection.default_route
        planned.append(attachment)
    return api, planned


def interface_names(selections: list[Selection], first: str) -> list[str]:
    """An interface name for each selection: its own, or `net1`, `net2`, … by its place in the list, as with Multus.

    Raises CniError 7 when a name is asked for twice or is the default network's `first`.
    """
    taken = {first, "lo"}
    for selection in selections:
        if selection.interface in taken:
            raise CniError(
                INVALID_CONFIG,
                f'the network "{selection.title}" asks for the interface "{selection.interface}", '
                "which another attachment of the pod has",
            )
        taken.add(selection.interface or first)
    names = []
    for place, selection in enumerate(selections, 1):
        number = place
        while not selection.interface and f"net{number}" in taken:
            number += 1
        names.append(selection.interface or f"net{number}")
        taken.add(names[-1])
    return names


def _attach(context: Context, record: Record, first: Attachment, others: Callable[[], list[Attachment]] = list) -> None:
    """Run the ADDs in order; after a failure, DEL what was done and what was tried, and forget it."""
    runner = context.own_runner()
    try:
        _add(context, record, runner, first)
        for attachment in others():
            _add(context, record, runner, attachment)
        _move_default_route(record.attachments, record.netns)
        context.store.save(record, durable=True)
    except Exception as error:
        _roll_back(context, record, runner, error)
        raise


def _add(context: Context, record: Record, runner: Runner, attachment: Attachment) -> None:
    _remember(context, record, attachment)
    attachment.add(runner)


def _remember(context: Context, record: Record, attachment: Attachment) -> None:
    """Write down what is about to be attached; nothing of it is to be undone where that cannot be written."""
    record.attachments.append(attachment)
    try:
        context.store.save(record)
    except CniError:
        record.attachments.remove(attachment)
        raise


def _move_default_route(plan: list[Attachment], netns: str) -> None:
    second = [attachment for attachment in plan if not attachment.default]
    if not second:
        return
    from .default_route import move, stay

    for attachment in second:
        if attachment.default_route is None:
            stay(attachment, netns)
    for attachment in second:
        if attachment.default_route is not None:
            move(plan, attachment, netns)


def _roll_back(context: Context, record: Record, runner: Runner, error: Exception) -> None:
    failures = detach(record, runner, context.settings)
    try:
        settle(context.store, record)
    except CniError as unwritten:  # a full disk: the record on it knows of all that may be left
        failures.append(unwritten)
    if failures and isinstance(error, CniError):
        undone = "; ".join(str(failure) for failure in failures)
        error.details = f"{error.details}; not undone, left to the reconciler: {undone}".lstrip("; ")
