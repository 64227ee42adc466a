"""Work that goes on beside other work; without `threading`, which takes 2 ms to load."""

from __future__ import annotations

import _thread
from collections.abc import Callable

TYPE_CHECKING = False  # what `typing` has under this name, without its start-up time
if TYPE_CHECKING:
    from .attachment import Attachment


class Later:
    """A list of attachments that `work` makes in a thread of its own."""

    def __init__(self, work: Callable[[], list[Attachment]]) -> None:
        self._work = work
        self._made: list[Attachment] = []
        self._error: BaseException | None = None
        self._running = _thread.allocate_lock()
        self._running.acquire()
        _thread.start_new_thread(self._run, ())

    def _run(self) -> None:
        try:
            self._made = self._work()
        except BaseException as error:
            self._error = error
        finally:
            self._running.release()

    def result(self) -> list[Attachment]:
        """What was made, once it is; its exception where it failed."""
        with self._running:
            if self._error is not None:
                raise self._error
            return self._made
