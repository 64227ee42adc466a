"""The end of a process: signals unwind it, an error gives its message, and both an exit code.

Nothing else in this package ends the process. Which code an error gives stands with its kind (`core.errors`); typer
ends with 2 for what it cannot read of the command line.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from provision.core.errors import McastlabError
from provision.core.progress import console
from provision.core.typed import Typed

EXIT_CODES = "0 all well; 1 a check failed; 2 the input is wrong; 3 the environment or a tool failed"
_BY_A_SIGNAL = 128  # as shells count: this and the signal's number


class Interrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM; `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def clean_end(typed: Typed, *, debug: bool, after_a_stop: str = "") -> Iterator[None]:
    """Turn signals into an orderly unwinding and errors into their message and exit code.

    `after_a_stop` is what can be done once the command has been stopped; `typed` completes what is suggested.

    SIGTERM unwinds like Ctrl-C, so that every `finally` runs and nothing that was started is left behind.
    """

    def interrupt(number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Interrupted(number)

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    errors = console(stderr=True)
    try:
        yield
    except McastlabError as error:
        if debug:
            errors.print_exception()
        errors.print(typed.completed(str(error)), style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except Interrupted as error:
        name = signal.Signals(error.number).name
        next_step = typed.completed(after_a_stop)
        errors.print(f"Stopped by {name}. {next_step}".rstrip(), highlight=False, markup=False, soft_wrap=True)
        sys.exit(_BY_A_SIGNAL + error.number)
