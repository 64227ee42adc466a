"""Text of others, made fit for a terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

# Control characters other than tab and line feed: output of a pod must not steer the user's terminal.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")

# Takes one line of what is being done, for whoever waits.
Say = Callable[[str], None]


def named(names: Iterable[str]) -> str:
    """Names as a sentence has them: in quotes, with commas between."""
    return ", ".join(f"'{name}'" for name in names)


def visible(text: str) -> str:
    """`text` safe for a terminal: carriage returns and escape sequences become visible marks."""
    return _CONTROL.sub("\ufffd", text.replace("\r\n", "\n"))
