"""bench.roofline: the convolutions of a run under the two limits that were measured in it, as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.figures import Row

TITLES = {"forward": "forward", "backward_data": "data gradient", "backward_weight": "weight gradient"}
OURS, PEER, ROOF = "#1f5fa8", "#d9822b", "#444444"


def points(rows: list[Row], direction: str) -> list[Row]:
    """Return the rows that have operations, bytes and this direction."""
    return [row for row in rows if row.direction == direction and row.flops and row.bytes]


def draw(rows: list[Row], path: Path) -> bool:
    """Write the picture as PNG; return False when there is nothing to draw. Needs matplotlib.

    Along: multiply-adds counted as two operations of the direct algorithm, over the bytes of x, w and y, each moved once. Up:
    these operations by the time. Winograd's algorithm does fewer, so its points may lie above the roof.
    """
    shown = [name for name in TITLES if points(rows, name)]
    if not shown:
        return False
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2 * len(shown), 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axes, name in zip(grid, shown, strict=True):
        _panel(axes, points(rows, name), TITLES[name])
    grid[0].set_ylabel("GFLOP/s, counted as direct")
    figure.savefig(path, dpi=110)
    return True


def _panel(axes, rows: list[Row], title: str) -> None:
    along = np.array([row.flops / row.bytes for row in rows])
    ours = np.array([row.rate for row in rows])
    one = np.array([row.batch == 1 for row in rows])
    roof = np.geomspace(along.min() / 1.5, along.max() * 1.5, 200)
    peak, bandwidth = rows[0].peak, rows[0].bandwidth
    axes.plot(roof, np.minimum(peak, bandwidth * roof), color=ROOF, linewidth=1.2, label="measured peak and bandwidth")
    compared = [row for row in rows if row.best_peer]
    if compared:
        theirs = [row.flops / row.best_peer * 1e-9 for row in compared if row.best_peer]
        at = [row.flops / row.bytes for row in compared]
        axes.scatter(at, theirs, s=26, marker="x", linewidths=1.0, color=PEER, label="best PyTorch layout")
    for chosen, face, label in ((~one, OURS, "fastcnn"), (one, "none", "fastcnn, batch 1")):
        if chosen.any():
            axes.scatter(along[chosen], ours[chosen], s=26, facecolors=face, edgecolors=OURS, linewidths=1.0, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(peak / 300, peak * 6)
    axes.set_title(f"Convolution, {title}")
    axes.set_xlabel("operations per byte of x, w and y")
    axes.grid(True, which="major", linewidth=0.4, alpha=0.6)
    axes.legend(loc="lower right", fontsize=8, frameon=False)
