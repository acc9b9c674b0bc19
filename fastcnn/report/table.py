"""report.table: figures of several models side by side, as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from .figures import BATCH, Figures


class Row(NamedTuple):
    """One line of the table: its title, its value, how that is shown, and what a smaller or larger one is called."""

    title: str
    value: Callable[[Figures], float]
    show: Callable[[float], str]
    words: tuple[str, str] | None  # None: the change is shown as a difference


SIZE, TIME = ("smaller", "larger"), ("faster", "slower")


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.3f} ms"


ROWS = (
    Row("accuracy", lambda f: f.accuracy, "{:.2%}".format, None),
    Row("parameters", lambda f: f.parameters, "{:,}".format, SIZE),
    Row("file size", lambda f: f.file_bytes, lambda n: f"{n / 1000:,.1f} kB", SIZE),
    Row("multiply-adds per image", lambda f: f.macs, "{:,}".format, SIZE),
    Row("latency p50, 1 image", lambda f: f.single.p50, _milliseconds, TIME),
    Row("latency p95, 1 image", lambda f: f.single.p95, _milliseconds, TIME),
    Row(f"latency p50, {BATCH} images", lambda f: f.batch.p50, _milliseconds, TIME),
)


def _change(row: Row, first: float, last: float) -> str:
    if row.words is None:
        return f"{(last - first) * 100:+.2f} points"
    return f"{first / last:.2f}x {row.words[0]}" if last <= first else f"{last / first:.2f}x {row.words[1]}"


def comparison_rows(models: Mapping[str, Figures]) -> list[list[str]]:
    """Return the table as rows of text: a header, then one row per figure; the last column compares last with first."""
    names, figures = list(models), list(models.values())
    rows = [["", *names, "change"]]
    for row in ROWS:
        values = [row.value(f) for f in figures]
        rows.append([row.title, *map(row.show, values), _change(row, values[0], values[-1])])
    return rows


def comparison_text(models: Mapping[str, Figures]) -> str:
    """Return the table as aligned plain text."""
    rows = comparison_rows(models)
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        ).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def print_comparison(models: Mapping[str, Figures], title: str = "") -> None:
    """Print the table, drawn by `rich` when it is installed."""
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        print(*([title] if title else []), comparison_text(models), sep="\n")
        return
    header, *rows = comparison_rows(models)
    table = Table(title=title or None)
    for i, cell in enumerate(header):
        table.add_column(cell, justify="right" if i else "left")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
