"""train.callback: what a Trainer calls while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ..errors import DtypeError
from .history import Epoch

if TYPE_CHECKING:
    from .trainer import Trainer


class Callback:
    """Does something at certain moments of a training; a subclass overrides what it needs.

    Every method gets the Trainer: `trainer.history`, `.step` (updates so far), `.last_loss`, `.last_lr`, `.model`, ..., and
    `trainer.stop()`, which ends the training after the step or epoch under way.

    Attributes
    ----------
    order : int
        Callbacks of a lower order are called first, those of the same order as they were given.
    """

    order = 0

    def on_train_begin(self, trainer: Trainer) -> None:
        """The training begins, or goes on."""

    def on_step_end(self, trainer: Trainer) -> None:
        """One update of the weights is done."""

    def on_epoch_end(self, trainer: Trainer, epoch: Epoch) -> None:
        """An epoch and its validation are done, and `trainer.history` has it."""

    def on_train_end(self, trainer: Trainer) -> None:
        """The training ends: all epochs are done, or it was stopped, or Ctrl-C was pressed. Not called after an error."""

    def close(self, trainer: Trainer) -> None:
        """The training has ended in any way, also by an error: free what `on_train_begin` has opened."""

    def state_dict(self) -> dict:
        """Return what must be in a checkpoint for an exact resume: plain values and arrays."""
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Restore what `state_dict` returned."""


class Function(Callback):
    """A plain function of the epoch; the training ends when it returns True."""

    def __init__(self, function: Callable[[Epoch], object]):
        self.function = function

    def on_epoch_end(self, trainer, epoch) -> None:
        if self.function(epoch) is True:
            trainer.stop()


def as_callback(callback) -> Callback:
    """Return a Callback for a Callback or a function of the epoch."""
    if isinstance(callback, Callback):
        return callback
    if isinstance(callback, type) or not callable(callback):
        raise DtypeError(f"callbacks: a Callback or a function of an Epoch is needed, got {callback!r}")
    return Function(callback)


def overridden(callbacks: Iterable[Callback], name: str) -> list[Callable]:
    """Return the methods `name` of those callbacks that define one: the others cost nothing per step."""
    return [getattr(callback, name) for callback in callbacks if getattr(type(callback), name) is not getattr(Callback, name)]
