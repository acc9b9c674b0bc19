"""train.progress: the display of a running `fit`."""

from __future__ import annotations

import sys

from ..errors import ArgumentError
from .history import Epoch


class Silent:
    """Shows nothing."""

    def start(self, epochs: int, batches: int) -> None:
        pass

    def batch(self) -> None:
        pass

    def epoch(self, epoch: Epoch) -> None:
        pass

    def stop(self) -> None:
        pass


class Lines(Silent):
    """One line per epoch."""

    def epoch(self, epoch: Epoch) -> None:
        print(epoch, flush=True)


class Bar(Silent):
    """A bar over all batches, and one line per epoch above it; needs `rich`."""

    def __init__(self):
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("batches"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, transient=True)
        self._task = self._progress.add_task("training", total=None)

    def start(self, epochs: int, batches: int) -> None:
        self._progress.update(self._task, total=epochs * batches)
        self._progress.start()

    def batch(self) -> None:
        self._progress.advance(self._task)

    def epoch(self, epoch: Epoch) -> None:
        self._progress.console.print(str(epoch), highlight=False)

    def stop(self) -> None:
        self._progress.stop()


def display(progress) -> Silent:
    """Return the display for the `progress` option of `fit`."""
    if isinstance(progress, Silent):
        return progress
    if progress not in (True, False, "bar", "lines"):
        raise ArgumentError(f"fit: progress must be True, False, 'bar', 'lines' or a display, got {progress!r}")
    if not progress:
        return Silent()
    if progress == "bar" or (progress is True and sys.stdout.isatty()):
        try:
            return Bar()
        except ImportError:
            return Lines()
    return Lines()
