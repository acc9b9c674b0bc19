"""report.html: one self-contained page: the table, the curves, and how the figures were made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.resources import files

from ..errors import MissingExtraError
from ..train import History
from .curves import learning_curves
from .figures import Figures
from .table import comparison_rows


def write_html(
    path: str | os.PathLike,
    *,
    title: str,
    figures: Mapping[str, Figures],
    histories: Mapping[str, History],
    notes: Mapping[str, str] | None = None,
) -> None:
    """Write the page to `path`.

    Parameters
    ----------
    figures : mapping of name to Figures
        Columns of the table, the original model first.
    histories : mapping of name to History
        The trainings in their order in time.
    notes : mapping, optional
        What made the figures: command, versions, threads, instruction set.

    Raises
    ------
    MissingExtraError
        When Jinja2 or matplotlib is not installed; the text names the extra.
    """
    try:
        from jinja2 import Environment
    except ImportError:
        raise MissingExtraError("an HTML report needs Jinja2, from the extra 'plot': pip install 'fastcnn[plot]'") from None
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        files(__package__).joinpath("page.html.jinja").read_text(encoding="utf-8")
    )
    header, *rows = comparison_rows(figures)
    page = template.render(title=title, header=header, rows=rows, curves=learning_curves(histories), notes=notes or {})
    with open(path, "w", encoding="utf-8") as file:
        file.write(page)
