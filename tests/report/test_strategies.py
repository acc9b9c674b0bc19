"""tests.report.test_strategies: the picture of training strategies, and what it says when it cannot be drawn."""

import sys

import pytest

from fastcnn import report
from fastcnn.errors import ArgumentError, MissingExtraError

GROUPS = {
    "decay": {"constant": [(1.0, 0.8), (2.0, 0.85)], "cosine": [(1.0, 0.82), (2.1, 0.9)]},
    "size": {"32": [], "128": [(1, 0.7)]},
}


def test_png(tmp_path, monkeypatch):
    figure = pytest.importorskip("matplotlib.figure")
    drawn = []
    save = figure.Figure.savefig
    monkeypatch.setattr(figure.Figure, "savefig", lambda self, *a, **k: (drawn.append(self), save(self, *a, **k)))
    report.plot_strategies(GROUPS, tmp_path / "s.png", title="both")
    assert (tmp_path / "s.png").read_bytes()[:4] == b"\x89PNG"
    left, right = drawn[0].axes
    assert left.get_lines()[1].get_ydata().tolist() == [82, 90] and left.get_lines()[1].get_xdata().tolist() == [1.0, 2.1]
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["32: no result", "128: 70.0 %"]
    assert left.get_title() == "decay" and left.get_ylim()[0] < 70 < 90 < left.get_ylim()[1]


def test_refusals(tmp_path, monkeypatch):
    with pytest.raises(ArgumentError, match="groups must not be empty"):
        report.plot_strategies({}, tmp_path / "s.png")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fastcnn\[plot\]'"):
        report.plot_strategies(GROUPS, tmp_path / "s.png")
