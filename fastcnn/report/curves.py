"""report.curves: learning curves as SVG text, drawn by matplotlib (extra `plot`)."""

from __future__ import annotations

import io
from collections.abc import Mapping

from ..errors import MissingExtraError
from ..train import History


def learning_curves(histories: Mapping[str, History]) -> str:
    """Return one SVG with the loss on the left and the accuracy on the right; histories follow each other in time.

    Raises MissingExtraError when matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("curves need matplotlib, from the extra 'plot': pip install 'fastcnn[plot]'") from None
    # a fixed salt and no date: the same histories give the same bytes
    with matplotlib.rc_context({"svg.hashsalt": "fastcnn", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(9, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        first = 1
        for number, (name, history) in enumerate(histories.items()):
            epochs = range(first, first + len(history))
            for axes, kind in ((left, "loss"), (right, "accuracy")):
                axes.plot(epochs, history.column(kind), "-", color=f"C{number}", label=f"{name}, training images")
                held_out = history.column(f"validation_{kind}")
                if None not in held_out:
                    axes.plot(epochs, held_out, "--", color=f"C{number}", label=f"{name}, held-out images")
            first += len(history)
        for axes, title in ((left, "cross-entropy"), (right, "accuracy")):
            axes.set(xlabel="epoch", ylabel=title)
            axes.grid(alpha=0.3)
            axes.legend()
        left.set_yscale("log")
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    return svg[svg.index("<svg") :]  # inside HTML: no XML declaration, no DOCTYPE
