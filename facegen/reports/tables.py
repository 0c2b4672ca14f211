"""Tables of text, for pages and for the terminal."""

from typing import NamedTuple

NONE = "–"


class Table(NamedTuple):
    """A caption, the names of the columns, and rows whose first cell names them."""

    caption: str
    head: list[str]
    rows: list[list[str]]


def text(table: Table) -> str:
    """A table for the terminal, without its caption."""
    rows = [table.head, *table.rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.head))]
    first, *rest = widths
    lines = [
        f"{row[0]:<{first}}" + "".join(f"  {cell:>{w}}" for cell, w in zip(row[1:], rest, strict=True)) for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def percent(share: float) -> str:
    """A share as people read it."""
    return f"{100 * share:.1f} %"


def amount(size: float) -> str:
    """Bytes in the unit that leaves few digits."""
    for factor, unit in ((1e9, "GB"), (1e6, "MB")):
        if abs(size) >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size / 1e3:,.1f} kB"
