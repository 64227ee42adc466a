"""Every table that is printed: a bold heading, columns without lines, and no text of others that steers a terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from rich.table import Table
from rich.text import Text

from provision.core.text import visible


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    numbers: Collection[str] = (),
    whole: Collection[str] = (),
    title: str | None = None,
) -> Table:
    """A row of cells below `headings` for each of `rows`; a cell is printed as it is spelt, a Text with its style.

    The columns `numbers` stand to the right; these and the ones in `whole` are not folded where a line is too long.
    """
    grid = Table(box=None, header_style="bold", pad_edge=False, title=title, title_justify="left")
    for heading in headings:
        number = heading in numbers
        grid.add_column(
            heading, justify="right" if number else "left", overflow="fold", no_wrap=number or heading in whole
        )
    for row in rows:
        grid.add_row(*(cell if isinstance(cell, Text) else Text(visible(str(cell))) for cell in row))
    return grid
