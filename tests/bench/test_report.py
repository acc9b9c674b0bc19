"""tests.bench.test_report: figures from a small benchmark file: rates, means, wins and losses; both reports and the picture."""

from __future__ import annotations

import json

import pytest

from bench import figures

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")
from bench import report

LIMITS = {"peak": 100.0, "bandwidth": 10.0, "loops": 1}
CONV = "Convolution, forward, resnet18, batch 16"
ROWS = [
    {"table": "GEMM", "row": "cube-512 (512 x 512 x 512)", "seconds": 0.5, "flops": 40e9, "peers": {"PyTorch": 0.25}},
    {
        "table": CONV,
        "row": "conv3x3_64_64@56",
        "algorithm": "direct",
        "seconds": 0.1,
        "flops": 9e9,
        "bytes": 3e9,
        "count": 4,
        "network": "resnet18",
        "direction": "forward",
        "batch": 16,
        "candidates": {"winograd": 0.05},
        "peers": {"A": 0.2, "B": 0.3},
    },
    {
        "table": CONV,
        "row": "conv1x1_64_128@56",
        "algorithm": "direct",
        "seconds": 0.1,
        "flops": 4e9,
        "bytes": 1e9,
        "network": "resnet18",
        "direction": "forward",
        "batch": 16,
        "peers": {"A": 0.2, "B": 0.05},
    },
    {"table": "Pooling", "row": "max <2x2>", "seconds": 1.0, "bytes": 5e9, "peers": {}},
]


@pytest.fixture
def file(tmp_path):
    machine = {
        "machine": "x86_64",
        "system": "Linux",
        "release": "6",
        "cpu": {"brand_raw": "A processor"},
        "fastcnn": {
            "command": "pytest bench",
            "smoke": False,
            "isa": "avx2",
            "isa_reason": "best",
            "threads": 2,
            "threads_reason": "affinity",
            "others": 0.25,
            "versions": {"fastcnn": "0.1.0", "numpy": "2"},
        },
    }
    benchmarks = [{"extra_info": {**LIMITS, **row}} for row in ROWS]
    document = {
        "machine_info": machine,
        "benchmarks": benchmarks,
        "datetime": "2026-01-02T03:04:05",
        "commit_info": {"id": "abc"},
    }
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(document))
    return path


def test_rates_and_ratios(file):
    rows = figures.read(file)[1]
    assert (rows[0].rate, rows[0].unit, rows[0].share, rows[0].ratio) == (80.0, "GFLOP/s", 0.8, 0.5)
    assert rows[0].derived == {"rate": 80.0, "unit": "GFLOP/s", "share": 0.8, "ratios": {"PyTorch": 0.5}}
    assert (rows[3].rate, rows[3].unit, rows[3].share, rows[3].ratio) == (5.0, "GB/s", 0.5, None)


def test_table(file):
    table = figures.tables(figures.read(file)[1])[1]
    assert table.algorithms == ["direct", "winograd"] and table.peers == ["A", "B"]
    assert table.mean_share == pytest.approx((0.9 * 0.4) ** 0.5)
    assert table.mean_ratio == pytest.approx((2.0 * 0.5) ** 0.5)
    assert table.total_ratio == pytest.approx((4 * 0.2 + 0.05) / (4 * 0.1 + 0.1))
    assert (table.wins, table.losses) == (1, 1)


def test_losses_and_poor_choices(file):
    rows = figures.read(file)[1]
    assert [row.row for row in figures.losses(rows)] == ["cube-512 (512 x 512 x 512)", "conv1x1_64_128@56"]
    assert [(row.row, row.better_choice) for row in figures.poor_choices(rows)] == [("conv3x3_64_64@56", "winograd")]
    assert rows[1].share_of("winograd") == pytest.approx(1.8) and rows[1].share_of("fft") == 0.0


def test_both_reports(file, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["report", str(file)])
    report.main()
    markdown = file.with_name("report.md").read_text()
    html = file.with_name("report.html").read_text()
    assert "| conv3x3_64_64@56 | direct | 100 | 90 | 90 % | 100 | 50 | 200 | 300 | 2.00 |" in markdown
    assert "| conv3x3_64_64@56 | direct | 100 | winograd | 50 |" in markdown and "![" in markdown
    assert file.with_name("roofline.png").read_bytes().startswith(b"\x89PNG") and "data:image/png;base64," in html
    assert (
        "| 80 % | 1 of 1 | missed |" in markdown
        and "| not run |" in markdown
        and "avx2 (best)" in markdown
        and "25 % of the CPUs: a busy" in markdown
        and "`pytest bench`" in markdown
    )
    assert "max &lt;2x2&gt;" in html and html.count("<table>") == html.count("</table>") == 8
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert all(line.count("|") > 2 for line in rows)


def test_other_instruction_sets(file, monkeypatch, capsys):
    file.with_name("isa-generic.json").write_text(
        file.read_text().replace('"avx2"', '"generic"').replace('"best"', '"asked for"')
    )
    monkeypatch.setattr("sys.argv", ["report", str(file)])
    report.main()
    markdown, html = (file.with_name(f"report.{kind}").read_text() for kind in ("md", "html"))
    part = markdown[markdown.index("## With generic") : markdown.index("## GEMM")]
    assert "with asked for" in part and "| GEMM 512^3 | 80 % | 1 of 1 |" in part and "x |" not in part
    assert "<h2>With generic</h2>" in html and html.count("<table>") == html.count("</table>") == 9


def test_smoke_run_has_no_gates_and_no_picture_without_convolutions(file, monkeypatch, capsys):
    document = json.loads(file.read_text())
    document["machine_info"]["fastcnn"]["smoke"] = True
    document["benchmarks"] = document["benchmarks"][:1]
    file.write_text(json.dumps(document))
    monkeypatch.setattr("sys.argv", ["report", str(file)])
    report.main()
    markdown = file.with_name("report.md").read_text()
    assert "## Gates" not in markdown and "![" not in markdown and "mean nothing" in markdown


def test_empty_file_is_an_error(file, monkeypatch, capsys):
    file.write_text(json.dumps({**json.loads(file.read_text()), "benchmarks": []}))
    monkeypatch.setattr("sys.argv", ["report", str(file)])
    with pytest.raises(SystemExit):
        report.main()
    assert "no benchmarks" in capsys.readouterr().err


def test_milliseconds_keep_three_digits():
    assert [report.milliseconds(s) for s in (1.23456e-6, 0.0123456, 1.23456)] == ["0.00123", "12.3", "1235"]
