"""report.curves: learning curves as SVG text, drawn by matplotlib (extra `plot`)."""

from __future__ import annotations

import io
from collections.abc import Mapping

from ..errors import MissingExtraError
from ..train import History
from ..train.curves import draw


def learning_curves(histories: Mapping[str, History]) -> str:
    """Return one SVG with the loss on the left and the accuracy on the right; histories follow each other in time.

    Raises MissingExtraError when matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        raise MissingExtraError("curves need matplotlib, from the extra 'plot': pip install 'fastcnn[plot]'") from None
    # a fixed salt and no date: the same histories give the same bytes
    with matplotlib.rc_context({"svg.hashsalt": "fastcnn", "svg.fonttype": "none", "font.size": 9}):
        buffer = io.StringIO()
        draw(histories).savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    return svg[svg.index("<svg") :]  # inside HTML: no XML declaration, no DOCTYPE
