"""train.fit: the training loop: forward, backward, update, schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import isfinite
from time import perf_counter

from ..errors import ArgumentError, StateError
from ..nn import functional as F
from .evaluate import evaluate
from .history import Epoch, History
from .progress import display


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
    callbacks: Iterable[Callable[[Epoch], object]] = (),
    history: History | None = None,
) -> History:
    """Train `model` for `epochs` epochs and return the figures of each.

    Parameters
    ----------
    model : Module
        Gives logits; is put into training mode, and left in it.
    loader : DataLoader
        Or any sized iterable of batches `(x, y)`.
    optimizer : Optimizer
    epochs : int
    schedule : scheduler, optional
        `schedule.step()` is called after every update, so a schedule counts updates, not epochs.
    loss : callable, optional
        `loss(logits, y) -> Tensor` of one element; cross-entropy without it.
    validation : dataset, optional
        Evaluated after each epoch.
    progress : bool or str
        True: a bar on a terminal when `rich` is installed, otherwise one line per epoch. "bar" and "lines" force one.
    callbacks : iterable of callables
        Each is called with the `Epoch`; one that returns True ends the training.
    history : History, optional
        Continue this one: its epochs are counted on.

    Raises
    ------
    StateError
        When the loss is not finite. The model then has the weights from before that batch.
    """
    if not isinstance(epochs, int) or epochs < 0:
        raise ArgumentError(f"fit: epochs must be an int of at least 0, got {epochs!r}")
    history, callbacks, shown = History() if history is None else history, list(callbacks), display(progress)
    loss = F.cross_entropy if loss is None else loss
    shown.start(epochs, len(loader))
    try:
        for _ in range(epochs):
            epoch = _epoch(model, loader, optimizer, schedule, loss, validation, len(history) + 1, shown)
            history.epochs.append(epoch)
            shown.epoch(epoch)
            if any([callback(epoch) is True for callback in callbacks]):  # a list: every callback is called
                break
    finally:
        shown.stop()
    return history


def _epoch(model, loader, optimizer, schedule, loss, validation, number: int, shown) -> Epoch:
    start = perf_counter()
    total, right, count, lr = 0.0, 0, 0, float("nan")
    model.train()
    for x, y in loader:
        logits = model(x)
        value = loss(logits, y)
        if not isfinite(value.item()):
            raise StateError(
                f"fit: the loss is {value.item()} in epoch {number} after {count} images; a lower learning rate may help"
            )
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        lr = optimizer.param_groups[0]["lr"]
        if schedule is not None:
            schedule.step()
        total += value.item() * len(y)
        right += int((logits.numpy().argmax(axis=1) == y).sum())
        count += len(y)
        shown.batch()
    if not count:
        raise ArgumentError("fit: the loader gave no batch (drop_last with a dataset smaller than one batch?)")
    seconds = perf_counter() - start
    checked = evaluate(model, validation) if validation is not None else None
    return Epoch(
        number,
        total / count,
        right / count,
        seconds,
        lr,
        checked.loss if checked else None,
        checked.accuracy if checked else None,
    )
