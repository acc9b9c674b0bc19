"""train.step: one update: forward, loss and backward of one or more batches, limits to the gradients, optimizer."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

import numpy as np

from ..errors import ArgumentError, ShapeError, StateError
from ..nn.clip import clip_grad_norm_, clip_grad_value_
from .metrics import classes_of


class Step:
    """Forward, loss, backward, update.

    Attributes
    ----------
    loss : float
        Mean loss over the samples of the last call.
    count : int
        Its samples.
    """

    def __init__(self, model, optimizer, criterion: Callable, clip_norm: float | None, clip_value: float | None):
        for name, limit in (("clip_norm", clip_norm), ("clip_value", clip_value)):
            if limit is not None and not (isinstance(limit, (int, float)) and 0 < limit < float("inf")):
                raise ArgumentError(f"Trainer: {name} must be a finite number above 0 or None, got {limit!r}")
        self.model, self.optimizer, self.criterion = model, optimizer, criterion
        self.clip_norm, self.clip_value = clip_norm, clip_value
        self.loss, self.count = float("nan"), 0

    def __call__(self, batches: list, where: Callable[[], str]) -> int:
        """Update the weights by the mean gradient over all samples of `batches`; return how many of them were right."""
        count, total, right = sum(len(y) for _, y in batches), 0.0, 0
        for number, (x, y) in enumerate(batches):
            logits = self.model(x)
            value = self.criterion(logits, y)
            loss = value.item()
            if not isfinite(loss):
                raise StateError(f"fit: the loss is {loss} {where()}; a lower learning rate may help")
            if number == 0:
                self.optimizer.zero_grad()
            if len(batches) == 1:
                value.backward()
            else:  # the share of these samples in the mean over all
                value.backward(np.full(value.shape, len(y) / count, value.dtype))
            total += loss * len(y)
            right += right_answers(logits, y)
        if self.clip_value is not None:
            clip_grad_value_(self._parameters(), self.clip_value)
        if self.clip_norm is not None:
            clip_grad_norm_(self._parameters(), self.clip_norm)
        self.optimizer.step()
        self.loss, self.count = total / count, count
        return right

    def _parameters(self) -> list:
        return [p for group in self.optimizer.param_groups for p in group["params"]]


def right_answers(logits, y) -> int:
    """Return how many samples have their largest logit at their label; 0 when these are no classes."""
    try:
        logits, y = classes_of("accuracy", logits, y)
    except ShapeError:
        return 0
    return int((logits.argmax(axis=1) == y).sum())
