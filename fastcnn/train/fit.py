"""train.fit: the training loop as one call of a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..errors import ArgumentError
from .callback import Callback
from .history import Epoch, History
from .trainer import Trainer


def fit(
    model,
    loader,
    optimizer,
    *,
    epochs: int,
    schedule=None,
    loss: Callable | None = None,
    validation=None,
    progress=False,
    callbacks: Iterable[Callback | Callable[[Epoch], object]] = (),
    history: History | None = None,
    **options,
) -> History:
    """Train `model` for `epochs` epochs and return the figures of each: a `Trainer` made, used once, and dropped.

    Parameters
    ----------
    model : Module
        Gives logits; is put into training mode, and left in it.
    loader : DataLoader
        Or any sized iterable of batches `(x, y)`.
    optimizer : Optimizer
    epochs : int
        On top of those in `history`.
    schedule : scheduler, optional
        `schedule.step()` is called after every update, so a schedule counts updates, not epochs.
    loss : callable, optional
        `loss(logits, y) -> Tensor` of one element; cross-entropy without it.
    validation : dataset, optional
        Evaluated after each epoch.
    progress : bool or str
        True: a bar on a terminal when `rich` is installed, otherwise one line per epoch. "bar" and "lines" force one.
    callbacks : iterable of Callback or callable
        A plain function is called with each `Epoch`; one that returns True ends the training.
    history : History, optional
        Continue this one: its epochs are counted on.
    **options
        Further options of `Trainer`: `metrics`, `accumulate`, `clip_norm`, ...

    Raises
    ------
    StateError
        When the loss is not finite. The model then has the weights from before that batch.
    KeyboardInterrupt
        After Ctrl-C, when the step under way is done and callbacks have had their `on_train_end`.
    """
    if not isinstance(epochs, int) or isinstance(epochs, bool) or epochs < 0:
        raise ArgumentError(f"fit: epochs must be an int of at least 0, got {epochs!r}")
    trainer = Trainer(
        model,
        loader,
        optimizer,
        schedule=schedule,
        loss=loss,
        validation=validation,
        callbacks=callbacks,
        progress=progress,
        **options,
    )
    trainer.history = History() if history is None else history
    trainer.fit(len(trainer.history) + epochs)
    if trainer.interrupted:
        raise KeyboardInterrupt
    return trainer.history
