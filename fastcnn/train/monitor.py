"""train.monitor: which epoch is the best so far: early stopping, and keeping the best model."""

from __future__ import annotations

import os

from ..errors import ArgumentError
from ..io import save
from .callback import Callback
from .checkpoint import copied
from .history import Epoch


class Monitor(Callback):
    """The base of callbacks that follow one figure of the epochs.

    Parameters
    ----------
    monitor : str
        A figure of `Epoch`, or a name in `Epoch.metrics`.
    mode : {"min", "max"}, optional
        Which values are better; without it "min" for names with "loss" in them, "max" for others.
    min_delta : float
        By how much a value must be better than the best to count.
    """

    def __init__(self, monitor: str, mode: str | None, min_delta: float):
        if mode not in (None, "min", "max"):
            raise ArgumentError(f"{type(self).__name__}: mode must be 'min', 'max' or None, got {mode!r}")
        if not min_delta >= 0:
            raise ArgumentError(f"{type(self).__name__}: min_delta must be at least 0, got {min_delta!r}")
        self.monitor, self.min_delta = monitor, min_delta
        self.mode = mode or ("min" if "loss" in monitor else "max")
        self.best: float | None = None
        self.best_epoch = 0

    def better(self, epoch: Epoch) -> bool:
        """Take the epoch for the best, and return True, if its figure is better than the best so far; NaN never is."""
        value = epoch.figure(self.monitor)
        gain = 0.0 if self.best is None else (self.best - value if self.mode == "min" else value - self.best)
        if value != value or (self.best is not None and not gain > self.min_delta):
            return False
        self.best, self.best_epoch = value, epoch.number
        return True

    def state_dict(self) -> dict:
        return {"best": self.best, "best_epoch": self.best_epoch}

    def load_state_dict(self, state: dict) -> None:
        self.best, self.best_epoch = state["best"], state["best_epoch"]


class EarlyStop(Monitor):
    """End the training when a figure has not become better for `patience` epochs.

    Parameters
    ----------
    monitor, mode, min_delta
        See `Monitor`.
    patience : int
    restore_best : bool
        Keep a copy of the best weights, and put it into the model at the end, unless Ctrl-C or an error was the end.
    """

    def __init__(
        self,
        monitor: str = "validation_loss",
        *,
        patience: int = 5,
        min_delta: float = 0.0,
        mode: str | None = None,
        restore_best: bool = False,
    ):
        super().__init__(monitor, mode, min_delta)
        if not isinstance(patience, int) or patience < 1:
            raise ArgumentError(f"EarlyStop: patience must be an int of at least 1, got {patience!r}")
        self.patience, self.restore_best, self.wait = patience, restore_best, 0
        self._weights: dict | None = None
        self._ended = False

    def on_train_begin(self, trainer) -> None:
        self._ended = False
        if self.wait >= self.patience:  # a run that had stopped is resumed
            trainer.stop()

    def on_epoch_end(self, trainer, epoch) -> None:
        if self.better(epoch):
            self.wait = 0
            if self.restore_best:
                with trainer.averaged():
                    self._weights = copied(trainer.model.state_dict())
            return
        self.wait += 1
        if self.wait >= self.patience:
            trainer.stop()

    def on_train_end(self, trainer) -> None:
        self._ended = not trainer.interrupted

    def close(self, trainer) -> None:
        # not in on_train_end: a checkpoint written there has to hold the weights of the last step
        if self._ended and self._weights is not None:
            trainer.model.load_state_dict(self._weights)

    def state_dict(self) -> dict:
        return {**super().state_dict(), "wait": self.wait, "weights": self._weights}

    def load_state_dict(self, state: dict) -> None:
        super().load_state_dict(state)
        self.wait, self._weights = state["wait"], state["weights"]


class BestModel(Monitor):
    """Save the model, for `fastcnn.load`, after each epoch that is better than all before.

    The file has the averaged weights if a callback averages them, and in its metadata the epoch and the figure.

    Parameters
    ----------
    path : path
    monitor, mode, min_delta
        See `Monitor`.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        monitor: str = "validation_accuracy",
        *,
        min_delta: float = 0.0,
        mode: str | None = None,
    ):
        super().__init__(monitor, mode, min_delta)
        self.path = path

    def on_epoch_end(self, trainer, epoch) -> None:
        if self.better(epoch):
            with trainer.averaged():
                save(trainer.model, self.path, metadata={"epoch": str(epoch.number), self.monitor: repr(self.best)})


class Checkpoint(Callback):
    """Save the whole run, for `Trainer.load`: every so often, and when the training ends, also by Ctrl-C.

    Parameters
    ----------
    path : path
        One file, replaced each time.
    every_epochs : int or None
        Save after each so many epochs.
    every_steps : int or None
        Save after each so many updates.
    """

    order = 100  # after the callbacks whose state it saves

    def __init__(self, path: str | os.PathLike, *, every_epochs: int | None = 1, every_steps: int | None = None):
        for name, every in (("every_epochs", every_epochs), ("every_steps", every_steps)):
            if every is not None and (not isinstance(every, int) or every < 1):
                raise ArgumentError(f"Checkpoint: {name} must be an int of at least 1 or None, got {every!r}")
        self.path, self.every_epochs, self.every_steps = path, every_epochs, every_steps
        self._saved: tuple | None = None

    def on_step_end(self, trainer) -> None:
        if self.every_steps is not None and trainer.step % self.every_steps == 0:
            self._save(trainer)

    def on_epoch_end(self, trainer, epoch) -> None:
        if self.every_epochs is not None and epoch.number % self.every_epochs == 0:
            self._save(trainer)

    def on_train_end(self, trainer) -> None:
        if self._saved != (trainer.step, trainer.batches_done, len(trainer.history)):
            self._save(trainer)

    def _save(self, trainer) -> None:
        trainer.save(self.path)
        self._saved = (trainer.step, trainer.batches_done, len(trainer.history))
