"""DEL: by the record alone, so that it needs neither API server nor pod nor NetworkAttachmentDefinition."""

from __future__ import annotations

import sys

from . import runtime_cache
from .context import Context, detach, settle
from .errors import Away, CniError, Damaged
from .files import forget
from .request import Request
from .results import convert
from .store import Record, new_record
from .versions import at_least

_LOCK_WAIT = 30.0


def delete(request: Request) -> None:
    """Detach the container from all its networks, then report what failed, if anything did."""
    context = Context(request)
    context.store.prepare()
    with context.store.lock(request.container_id, request.ifname, _LOCK_WAIT):
        record = _known(context)
        if record is not None:
            failures = _all_but_later(detach(record, context.own_runner(), context.settings))
            settle(context.store, record)
        else:
            failures = _delete_default(context)
    if failures:
        raise join(failures)


def _all_but_later(failures: list[CniError]) -> list[CniError]:
    """Without what only the API server's absence keeps from being freed: no pod's end waits for that. The record holds
    on to it, and the node's reconciler comes back to it."""
    for failure in [one for one in failures if isinstance(one, Away)]:
        sys.stderr.write(f"netattach: left to the reconciler: {failure}\n")
    return [one for one in failures if not isinstance(one, Away)]


def _known(context: Context) -> Record | None:
    """The container's record. One that is damaged keeps nothing from being freed that is known without it: the default
    network now, other networks' addresses by the reconciler, once the record has gone with the pod."""
    request = context.request
    try:
        return context.store.load(request.container_id, request.ifname) or context.adopt()
    except Damaged as error:
        sys.stderr.write(f"netattach: {error}; DEL goes by what is known without it\n")
        return None


def join(failures: list[CniError]) -> CniError:
    """One error that names all of `failures`, with the first one's code."""
    first = failures[0]
    if len(failures) == 1:
        return first
    return CniError(first.code, f"{len(failures)} networks failed", "; ".join(str(failure) for failure in failures))


def _delete_default(context: Context) -> list[CniError]:
    """A container without a record was never attached, is deleted already, or got its default network before netattach
    came to the node: DEL on the default network is right for all three."""
    request, folder = context.request, context.settings.runtime_cache_dir
    record = new_record(request)
    attachment = context.default_attachment()
    network = attachment.network
    known = request.config.get("prevResult") or runtime_cache.result(
        folder, network.name, request.container_id, request.ifname
    )
    if isinstance(known, dict) and at_least(network.version, "0.3.0"):
        attachment.result = convert(known, network.version)
    record.attachments.append(attachment)
    failures = detach(record, context.own_runner(), context.settings)
    if not failures:
        context.store.remove(record)  # there may be one that is damaged, of netattach's or of Multus'
        forget(f"{context.settings.multus_cache_dir}/{request.container_id}")
        runtime_cache.forget(folder, network.name, request.container_id, request.ifname)
    return failures


def delete_stale(context: Context, record: Record) -> list[CniError]:
    """Detach a container that the runtime no longer has; used by GC, under the record's lock."""
    failures = detach(record, context.runner(record.container_id, record.netns, record.pod), context.settings)
    settle(context.store, record)
    return failures
