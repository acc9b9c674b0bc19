"""train.progress: the display of a running training."""

from __future__ import annotations

import sys

from ..errors import ArgumentError
from .callback import Callback


class Lines(Callback):
    """One line per epoch."""

    def on_epoch_end(self, trainer, epoch) -> None:
        print(epoch, flush=True)


class Bar(Callback):
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

    def on_train_begin(self, trainer) -> None:
        batches = len(trainer.loader)
        self._progress.update(self._task, total=trainer.epochs * batches, completed=trainer.batches_done)
        self._progress.start()

    def on_step_end(self, trainer) -> None:
        later = max(0, trainer.epochs - len(trainer.history) - 1) * len(trainer.loader)
        total = trainer.batches_done + trainer.batches_left + later  # the batch size may have changed
        self._progress.update(self._task, total=total, completed=trainer.batches_done)

    def on_epoch_end(self, trainer, epoch) -> None:
        self._progress.console.print(str(epoch), highlight=False)

    def close(self, trainer) -> None:
        self._progress.stop()


def display(progress) -> list[Callback]:
    """Return the callbacks for the `progress` option of `fit`."""
    if isinstance(progress, Callback):
        return [progress]
    if progress not in (True, False, "bar", "lines"):
        raise ArgumentError(f"fit: progress must be True, False, 'bar', 'lines' or a Callback, got {progress!r}")
    if not progress:
        return []
    if progress == "bar" or (progress is True and sys.stdout.isatty()):
        try:
            return [Bar()]
        except ImportError:
            return [Lines()]
    return [Lines()]
