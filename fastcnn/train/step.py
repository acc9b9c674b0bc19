"""train.step: one update: forward, loss and backward of one or more batches, limits to the gradients, optimizer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..autograd import Tensor
from ..errors import ArgumentError, DtypeError, ShapeError, StateError
from ..kernels.elementwise import full, require_finite
from ..nn.utils import clip_grad_norm_, clip_grad_value_, get_total_norm
from ..optim import NoiseScale
from .capture import Capture, CaptureReport, capture
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

    def __init__(
        self, model, optimizer, criterion: Callable, clip_norm: float | None, clip_value: float | None, captured: bool = False
    ):
        for name, limit in (("clip_norm", clip_norm), ("clip_value", clip_value)):
            if limit is not None and not (isinstance(limit, (int, float)) and 0 < limit < float("inf")):
                raise ArgumentError(f"Trainer: {name} must be a finite number above 0 or None, got {limit!r}")
        self.model, self.optimizer, self.criterion = model, optimizer, criterion
        self.clip_norm, self.clip_value = clip_norm, clip_value
        self.join = False  # run the batches of an update as one
        self.noise: NoiseScale | None = None  # is told the norms of the first batch's gradient and of the whole
        self.loss, self.count = float("nan"), 0
        self._where: Callable[[], str] = str
        self.gradients: Callable = capture(self._gradients) if captured else self._gradients
        self.update: Callable = capture(self._update) if captured else self._update

    def __call__(self, batches: list, where: Callable[[], str]) -> int:
        """Update the weights by the mean gradient over all samples of `batches`; return how many of them were right."""
        if self.join and len(batches) > 1:
            batches = [joined(batches)]
        count, total, right, first = sum(len(x) for x, _ in batches), 0.0, 0, None
        self._where = where
        self.optimizer.zero_grad()
        for number, (x, y) in enumerate(batches):
            value, logits = self.gradients(x, y, len(x) / count)
            total += value.item() * len(x)
            right += right_answers(logits, y)
            if self.noise is not None and number == 0 and len(x) < count:
                first = self._norm() * count / len(x)
        whole = None if first is None else self._norm()
        self.update()
        if self.noise is not None and first is not None and whole is not None:
            self.noise.update(first, len(batches[0][0]), whole, count)
        self.loss, self.count = total / count, count
        return right

    def report(self) -> dict[str, CaptureReport]:
        """Return the reports of the captured parts."""
        parts = {"gradients": self.gradients, "update": self.update}
        return {name: part.report() for name, part in parts.items() if isinstance(part, Capture)}

    def _gradients(self, x, y, share: float):
        """Add the gradients of the mean over all samples, of which these are a `share`; return their mean loss and the logits."""
        logits = self.model(x)
        loss = self.criterion(logits, y)

        def refuse():
            raise StateError(f"fit: the loss is {loss.data.item()} {self._where()}; a lower learning rate may help")

        require_finite(loss.data, refuse)
        loss.backward(full(loss.shape, share, loss.dtype))
        return loss, logits

    def _update(self) -> None:
        if self.clip_value is not None:
            clip_grad_value_(self._parameters(), self.clip_value)
        if self.clip_norm is not None:
            clip_grad_norm_(self._parameters(), self.clip_norm)
        self.optimizer.step()

    def _norm(self) -> float:
        return get_total_norm([p.grad for p in self._parameters() if p.grad is not None]).item()

    def _parameters(self) -> list:
        return [p for group in self.optimizer.param_groups for p in group["params"]]


def joined(batches: list):
    """Return the batches as one."""
    images, targets = zip(*batches, strict=True)
    arrays = [x.data if isinstance(x, Tensor) else np.asarray(x) for x in images]
    if any(not isinstance(y, np.ndarray) for y in targets):
        raise DtypeError(f"Trainer: join needs targets that are arrays, got {type(targets[0]).__name__}")
    return Tensor(np.concatenate(arrays)), np.concatenate(targets)


def right_answers(logits, y) -> int:
    """Return how many samples have their largest logit at their label; 0 when these are no classes."""
    try:
        logits, y = classes_of("accuracy", logits, y)
    except ShapeError:
        return 0
    return int((logits.argmax(axis=1) == y).sum())
