"""Work that goes on beside other work; without `threading`, which takes 2 ms to load."""

from __future__ import annotations

import _thread
import sys
from collections.abc import Callable

TYPE_CHECKING = False  # what `typing` has under this name, without its start-up time
if TYPE_CHECKING:
    from .api import Api
    from .attachment import Attachment

    Found = tuple[Api, list[Attachment]]

_SWITCH_SECONDS = 0.0005  # for so long at a time it keeps the rest from going on


class Later:
    """What `work` finds, in a thread of its own: the API server's connection, and attachments."""

    def __init__(self, work: Callable[[], Found]) -> None:
        self._work = work
        self._found: list[Found] = []
        self._error: BaseException | None = None
        self._running = _thread.allocate_lock()
        self._running.acquire()
        sys.setswitchinterval(_SWITCH_SECONDS)
        _thread.start_new_thread(self._run, ())

    def _run(self) -> None:
        try:
            self._found.append(self._work())
        except BaseException as error:
            self._error = error
        finally:
            self._running.release()

    def result(self) -> Found:
        """What was found, once it is; its exception where it failed."""
        with self._running:
            if self._error is not None:
                raise self._error
            return self._found[0]
