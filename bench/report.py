"""bench.report: writes report.md, report.html and roofline.png beside the JSON of a benchmark run, in bench/out."""

from __future__ import annotations

import argparse
import base64
import json
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench import figures, gates, roofline

HERE = Path(__file__).parent


def milliseconds(seconds: float) -> str:
    """Three significant digits, in milliseconds."""
    value = seconds * 1e3
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def fashion_record(folder: Path) -> dict | None:
    """Return what bench.fashion_mnist wrote into the same folder, if it ran."""
    path = folder / "fashion.json"
    return json.loads(path.read_text()) if path.exists() else None


def levels(folder: Path) -> list[dict]:
    """Return the runs with other instruction sets in the same folder (`make bench-isa`): their gates and tables."""
    runs = [figures.read(path) for path in sorted(folder.glob("isa-*.json"))]
    return [
        {"about": about, "peak": rows[0].peak, "gates": gates.of_peak(rows), "tables": figures.tables(rows)}
        for about, rows in runs
        if rows
    ]


def render(
    template: str,
    about: dict,
    rows: list[figures.Row],
    picture: Path | None = None,
    record: dict | None = None,
    others: list[dict] | None = None,
) -> str:
    """Return the report as the template's kind of text; the page holds the picture itself, the Markdown names it."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=template.endswith(".html.jinja"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["milliseconds"] = milliseconds
    return environment.get_template(template).render(
        about=about,
        tables=figures.tables(rows),
        gates=[] if about["smoke"] else gates.results(rows, record),
        losses=figures.losses(rows),
        poor_choices=figures.poor_choices(rows),
        limits=rows[0],
        levels=others or [],
        picture=picture.name if picture else "",
        picture_data=base64.b64encode(picture.read_bytes()).decode() if picture else "",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the report of a benchmark run as Markdown, HTML and a picture.")
    parser.add_argument("json", nargs="?", type=Path, default=HERE / "out" / "bench.json", help="pytest-benchmark's file")
    options = parser.parse_args()
    about, rows = figures.read(options.json)
    if not rows:
        parser.exit(1, f"{options.json} has no benchmarks\n")
    picture: Path | None = options.json.with_name("roofline.png")
    if roofline.draw(rows, options.json.with_name("roofline.png")):
        print(picture)
    else:
        picture = None
    for kind in ("md", "html"):
        path = options.json.with_name(f"report.{kind}")
        folder = options.json.parent
        path.write_text(render(f"report.{kind}.jinja", about, rows, picture, fashion_record(folder), levels(folder)))
        print(path)


if __name__ == "__main__":
    main()
