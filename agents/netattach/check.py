"""CHECK: every attachment of the record, against the result that its ADD gave."""

from __future__ import annotations

from .context import Context
from .errors import CONTAINER_UNKNOWN, CniError
from .request import Request


def check(request: Request) -> None:
    """Raise the first delegate's failure; networks below 0.4.0 have no CHECK and are passed over."""
    context = Context(request)
    record = context.store.load(request.container_id, request.ifname) or context.adopt()
    if record is None:
        raise CniError(
            CONTAINER_UNKNOWN,
            f'netattach has no attachment of "{request.ifname}" of the container "{request.container_id}"',
        )
    runner = context.own_runner()
    for attachment in record.attachments:
        attachment.check(runner)
