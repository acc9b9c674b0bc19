"""bench.report: writes bench/out/report.md and report.html from bench/out/bench.json."""

from __future__ import annotations

import argparse
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench import figures

HERE = Path(__file__).parent


def milliseconds(seconds: float) -> str:
    """Three significant digits, in milliseconds."""
    value = seconds * 1e3
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def render(template: str, about: dict, rows: list[figures.Row]) -> str:
    """Return the report as the template's kind of text."""
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
        about=about, tables=figures.tables(rows), gates=figures.gates(rows), limits=rows[0]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the report of a benchmark run as Markdown and HTML.")
    parser.add_argument("json", nargs="?", type=Path, default=HERE / "out" / "bench.json", help="pytest-benchmark's file")
    options = parser.parse_args()
    about, rows = figures.read(options.json)
    if not rows:
        parser.exit(1, f"{options.json} has no benchmarks\n")
    for kind in ("md", "html"):
        path = options.json.with_name(f"report.{kind}")
        path.write_text(render(f"report.{kind}.jinja", about, rows))
        print(path)


if __name__ == "__main__":
    main()
