"""train.curves: learning curves, drawn by matplotlib (extra `plot`)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..errors import MissingExtraError
from ..io.atomic import replace_file
from .callback import Callback
from .history import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _figure_class() -> type[Figure]:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("curves need matplotlib, from the extra 'plot': pip install 'fastcnn[plot]'") from None
    return Figure


def draw(histories: Mapping[str, History]) -> Figure:
    """Return a figure with the loss on the left and the accuracy on the right; histories follow each other in time.

    Raises MissingExtraError when matplotlib is not installed.
    """
    figure = _figure_class()(figsize=(9, 3.2), layout="constrained")
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
    return figure


class LearningCurve(Callback):
    """Draw loss and accuracy of all epochs into a PNG file, after each epoch; needs matplotlib (extra `plot`).

    Parameters
    ----------
    path : path
        Replaced as a whole each time.
    name : str
        Of the curves, in the legend.
    """

    def __init__(self, path: str | os.PathLike, name: str = "training"):
        self.path, self.name = path, name
        _figure_class()  # tells at once when matplotlib is missing

    def on_epoch_end(self, trainer, epoch) -> None:
        figure = draw({self.name: trainer.history})
        replace_file(self.path, lambda temporary: figure.savefig(temporary, format="png", dpi=120))
