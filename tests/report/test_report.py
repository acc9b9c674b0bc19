"""tests.report.test_report: figures that are true, tables that say them, and one page that needs nothing else."""

import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import data, nn, report, train
from fastcnn.errors import ArgumentError, MissingExtraError
from fastcnn.report import Figures, Latency
from fastcnn.report.latency import time_in_turn

BEFORE = Figures(0.99, 61_706, 249_200, 416_520, Latency(8e-5, 9e-5, 100), Latency(2e-3, 3e-3, 100))
AFTER = Figures(0.985, 15_738, 65_300, 133_740, Latency(4e-5, 5e-5, 100), Latency(2.5e-3, 4e-3, 100))
HISTORY = train.History([train.Epoch(i + 1, 1 / (i + 1), 1 - 0.5 / (i + 1), 0.1, 0.01, 0.5, 0.9) for i in range(3)])


def dataset():
    return data.ArrayDataset(np.random.default_rng(0).random((80, 1, 6, 6), dtype=np.float32), np.arange(80) % 3)


def net(width):
    return nn.Sequential(nn.Conv2d(1, width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.Flatten(), nn.Linear(16 * width, 3))


def test_figures_of_models():
    models = {"wide": net(8), "narrow": net(2)}
    figures = report.compare(models, dataset(), seconds=0.02)
    assert list(figures) == ["wide", "narrow"]
    wide, narrow = figures.values()
    assert wide.parameters == 8 * 9 + 8 + 16 + 3 * 128 + 3 and wide.macs == 16 * 8 * 9 + 128 * 3
    assert wide.accuracy == train.evaluate(models["wide"], dataset()).accuracy
    assert narrow.file_bytes < wide.file_bytes < 4 * wide.parameters + 3000
    assert 0 < wide.single.p50 <= wide.single.p95 and wide.single.calls >= 5
    assert report.measure(models["wide"], dataset(), seconds=0).macs == wide.macs
    assert all(module.training for model in models.values() for module in model.modules())


def test_timing_takes_turns_and_is_bounded(monkeypatch):
    order, now = [], [0.0]

    def work(name, seconds):
        def call():
            order.append(name)
            now[0] += seconds

        return call

    monkeypatch.setattr("fastcnn.report.latency.perf_counter", lambda: now[0])
    slow, fast = time_in_turn([work("s", 2.0), work("f", 1.0)], seconds=30, calls=1000)
    assert "".join(order) == "sssfff" + "sf" * 10
    assert slow == pytest.approx((2.0, 2.0, 10)) and fast == pytest.approx((1.0, 1.0, 10))
    assert time_in_turn([work("s", 50.0)], seconds=1)[0].calls == 5
    assert time_in_turn([work("s", 0.0)], seconds=1, calls=7)[0].calls == 7
    with pytest.raises(ArgumentError, match="calls at least 5"):
        time_in_turn([work("s", 1.0)], calls=1)


def test_latency_records_nothing():
    recorded = []
    model = net(2)
    model[4].register_forward_hook(lambda module, inputs, output: recorded.append(output.requires_grad))
    report.measure_latency(model, fc.Tensor(dataset().images[:1]), seconds=0)
    assert recorded and not any(recorded)


def test_rows_and_their_changes():
    rows = {row[0]: row[1:] for row in report.comparison_rows({"LeNet-5": BEFORE, "pruned": AFTER})}
    assert rows[""] == ["LeNet-5", "pruned", "change"]
    assert rows["accuracy"] == ["99.00%", "98.50%", "-0.50 points"]
    assert rows["parameters"] == ["61,706", "15,738", "3.92x smaller"]
    assert rows["file size"] == ["249.2 kB", "65.3 kB", "3.82x smaller"]
    assert rows["latency p50, 1 image"] == ["0.080 ms", "0.040 ms", "2.00x faster"]
    assert rows["latency p50, 64 images"] == ["2.000 ms", "2.500 ms", "1.25x slower"]


def test_text_is_aligned():
    lines = report.comparison_text({"LeNet-5": BEFORE, "pruned": AFTER}).splitlines()
    assert len({len(line) for line in lines if "ms" in line or "points" in line}) == 1


@pytest.mark.parametrize("rich", [True, False])
def test_printed_with_and_without_rich(rich, capsys, monkeypatch):
    if not rich:
        monkeypatch.setitem(sys.modules, "rich.table", None)
    report.print_comparison({"LeNet-5": BEFORE, "pruned": AFTER}, title="a title")
    text = capsys.readouterr().out
    for cell in ("a title", "99.00%", "3.92x smaller", "1.25x slower"):
        assert cell in text


class Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.tags = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.found += [value for name, value in attrs if name in ("src", "href", "xlink:href") and not value.startswith("#")]


def test_the_page_is_whole_and_needs_nothing_else(tmp_path):
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    options = {
        "title": "a <b> & c",
        "figures": {"LeNet-5": BEFORE, "pruned": AFTER},
        "histories": {"training": HISTORY, "fine-tuning": HISTORY},
        "notes": {"Command": "fastcnn demo <script>"},
    }
    report.write_html(tmp_path / "a.html", **options)
    report.write_html(tmp_path / "b.html", **options)
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert page == (tmp_path / "b.html").read_text(encoding="utf-8")
    parser = Links()
    parser.feed(page)
    assert parser.found == [] and "script" not in parser.tags and parser.tags.count("svg") == 1
    assert not re.search(r"url\((?!#)|@import", page)
    for text in ("a &lt;b&gt; &amp; c", "fastcnn demo &lt;script&gt;", "3.92x smaller", "fine-tuning, held-out images"):
        assert text in page


@pytest.mark.parametrize("module", ["jinja2", "matplotlib"])
def test_a_missing_extra_is_named(tmp_path, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fastcnn\[plot\]'"):
        report.write_html(tmp_path / "a.html", title="t", figures={"a": BEFORE}, histories={"a": HISTORY})
    assert not list(tmp_path.iterdir())
