"""train.logs: the figures of a training as a table, as lines of JSON, for TensorBoard."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import IO, Any

from ..errors import ArgumentError, MissingExtraError
from ..io.atomic import replace_file
from .callback import Callback

COLUMNS = ("number", "loss", "accuracy", "seconds", "lr", "validation_loss", "validation_accuracy")


def _checked(name: str, every) -> int | None:
    if every is not None and (not isinstance(every, int) or isinstance(every, bool) or every < 1):
        raise ArgumentError(f"{name}: every must be an int of at least 1 or None, got {every!r}")
    return every


class CSVLog(Callback):
    """Write one row per epoch of the history to a CSV file, replaced as a whole after each epoch.

    Parameters
    ----------
    path : path
    """

    def __init__(self, path: str | os.PathLike):
        self.path = path

    def on_epoch_end(self, trainer, epoch) -> None:
        epochs = list(trainer.history)
        names = sorted({name for row in epochs for name in row.metrics})
        replace_file(self.path, lambda temporary: _write_csv(temporary, epochs, names))


def _write_csv(path: Path, epochs: list, names: list[str]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, *names])
        for epoch in epochs:
            writer.writerow([*(getattr(epoch, name) for name in COLUMNS), *(epoch.metrics.get(name) for name in names)])


class JSONLinesLog(Callback):
    """Append one line of JSON per epoch, and per `every` updates, to a file.

    Lines are {"epoch": 1, "step": 25, "loss": ..., ...} and {"step": 10, "loss": ..., "lr": ...}; a number that is not finite is
    null. A run that starts begins a new file; one that is resumed keeps the lines up to its step, so none appears twice.

    Parameters
    ----------
    path : path
    every : int or None
    """

    def __init__(self, path: str | os.PathLike, every: int | None = None):
        self.path, self.every = Path(path), _checked("JSONLinesLog", every)
        self._file: IO[str] | None = None

    def on_train_begin(self, trainer) -> None:
        kept = _lines_up_to(self.path, trainer.step, len(trainer.history)) if trainer.step else []
        replace_file(self.path, lambda temporary: temporary.write_text("".join(kept), encoding="utf-8"))
        self._file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115 (closed by `close`)

    def on_step_end(self, trainer) -> None:
        if self.every is not None and trainer.step % self.every == 0:
            self._write({"step": trainer.step, "loss": trainer.last_loss, "lr": trainer.last_lr})

    def on_epoch_end(self, trainer, epoch) -> None:
        figures = {name: value for name, value in asdict(epoch).items() if name not in ("number", "metrics")}
        self._write({"epoch": epoch.number, "step": trainer.step, **figures, **epoch.metrics})

    def close(self, trainer) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, row: dict) -> None:
        finite = {name: value if not isinstance(value, float) or isfinite(value) else None for name, value in row.items()}
        assert self._file is not None
        self._file.write(json.dumps(finite) + "\n")
        self._file.flush()


def _lines_up_to(path: Path, step: int, epochs: int) -> list[str]:
    """Return the whole lines of a log that belong to steps and epochs already done."""
    kept = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
                if row["step"] <= step and row.get("epoch", 0) <= epochs:
                    kept.append(line + "\n")
            except (ValueError, KeyError, TypeError, AttributeError):
                continue  # cut off when the process was killed
    return kept


class TensorBoardLog(Callback):
    """Write scalars for TensorBoard: per epoch, and per `every` updates; needs tensorboard or tensorboardX (extra `tensorboard`).

    Parameters
    ----------
    folder : path
        TensorBoard's log directory of this run.
    every : int or None
    """

    def __init__(self, folder: str | os.PathLike, every: int | None = None):
        self.folder, self.every = os.fspath(folder), _checked("TensorBoardLog", every)
        self._make = _writer()
        self._open: Any = None

    def on_train_begin(self, trainer) -> None:
        self._open = self._make(self.folder)

    def on_step_end(self, trainer) -> None:
        if self.every is not None and trainer.step % self.every == 0:
            self._add({"step/loss": trainer.last_loss, "step/lr": trainer.last_lr}, trainer.step)

    def on_epoch_end(self, trainer, epoch) -> None:
        figures = {name: getattr(epoch, name) for name in COLUMNS[1:]}
        self._add({f"epoch/{name}": value for name, value in {**figures, **epoch.metrics}.items()}, epoch.number)
        self._open.flush()

    def close(self, trainer) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def _add(self, scalars: dict, step: int) -> None:
        for name, value in scalars.items():
            if value is not None:
                self._open.add_scalar(name, value, step)


def _writer():
    """Return the class of an installed writer of TensorBoard's files."""
    try:
        from tensorboard.summary import Writer
    except ImportError:
        try:
            from tensorboardX import SummaryWriter as Writer
        except ImportError:
            raise MissingExtraError(
                "TensorBoardLog needs tensorboard, from the extra 'tensorboard': pip install 'fastcnn[tensorboard]'"
            ) from None
    return Writer
