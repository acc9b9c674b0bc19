"""report.strategies: training strategies compared: accuracy against seconds, drawn by matplotlib (extra `plot`)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from ..errors import ArgumentError, MissingExtraError

# strategy: [(seconds of training so far, accuracy), ...]
Curves = Mapping[str, Sequence[tuple[float, float]]]


def plot_strategies(groups: Mapping[str, Curves], path: str | os.PathLike, *, title: str = "") -> None:
    """Write a PNG with one panel per group: the accuracy of each strategy against the seconds of training.

    Parameters
    ----------
    groups : dict of dict
        `groups[panel][strategy]` is a list of (seconds, accuracy), accuracy from 0 to 1. A strategy without points is only named.
    path : path
        The file; its folder must exist.
    title : str
        Above the panels.

    Raises
    ------
    MissingExtraError
        When matplotlib is not installed.
    ArgumentError
        When there is no group.
    """
    if not groups:
        raise ArgumentError("plot_strategies: groups must not be empty")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("plot_strategies needs matplotlib, from the extra 'plot': pip install 'fastcnn[plot]'") from None
    figure = Figure(figsize=(1 + 4 * len(groups), 4.2), layout="constrained")
    panels = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    for axes, (name, curves) in zip(panels, groups.items(), strict=True):
        for label, points in curves.items():
            seconds, accuracies = [s for s, _ in points], [100 * a for _, a in points]
            last = f": {accuracies[-1]:.1f} %" if accuracies else ": no result"
            axes.plot(seconds, accuracies, marker="o", markersize=3, label=label + last)
        axes.set(title=name, xlabel="seconds of training")
        axes.set_xlim(left=0)
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right", fontsize="small")
    panels[0].set_ylabel("test accuracy [%]")
    _zoom(panels[0], groups)
    figure.suptitle(title)
    figure.savefig(path, format="png", dpi=150)


def _zoom(axes, groups: Mapping[str, Curves]) -> None:
    """Leave the lowest points of poor strategies out of the picture, so that the good ones can be told apart."""
    last = [points[-1][1] for curves in groups.values() for points in curves.values() if points]
    if last:
        worst, best = 100 * min(last), 100 * max(last)
        axes.set_ylim(max(0.0, worst - max(2.0, best - worst)), min(100.0, best + 1.0))
