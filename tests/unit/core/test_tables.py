"""The one kind of table: numbers to the right, and nothing in a cell that steers the terminal."""

import io

from rich.console import Console
from rich.text import Text

from provision.core import tables


def shown(width: int, *rows: tuple[object, ...]) -> list[str]:
    out = io.StringIO()
    grid = tables.table(("name", "count", "what"), rows, numbers=("count",), whole=("name",))
    Console(file=out, width=width).print(grid)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_numbers_stand_to_the_right_and_text_of_others_is_text() -> None:
    assert shown(60, ("a", 7, "[red]x[/red] \x1b[2J"), ("bb", 12345, Text("y", "red"))) == [
        "name  count  what",
        "a         7  [red]x[/red] \ufffd[2J",
        "bb    12345  y",
    ]


def test_a_long_cell_is_folded_and_never_cut() -> None:
    lines = shown(24, ("long-name", 1, "z" * 20))
    assert len(lines) > 2
    assert lines[1].startswith("long-name ")
    assert "".join(lines[1:]).count("z") == 20
