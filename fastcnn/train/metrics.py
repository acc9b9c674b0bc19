"""train.metrics: accuracy, top-k accuracy, confusion matrix and mean loss, each summed up batch by batch."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, no_grad
from ..errors import ArgumentError, ShapeError
from ..nn import functional as F


class Metric:
    """A figure over many batches: `update` adds a batch, `compute` returns the figure, `reset` starts again.

    `update(logits, y)` takes logits (n, classes), Tensor or array, and labels: class numbers (n,) or, of mixed images, shares
    (n, classes), whose largest is taken for the class.
    """

    def reset(self) -> None:
        """Forget all batches."""
        raise NotImplementedError

    def update(self, logits, y) -> None:
        """Add a batch."""
        raise NotImplementedError

    def compute(self):
        """Return the figure over all batches since `reset`."""
        raise NotImplementedError


def classes_of(name: str, logits, y) -> tuple[np.ndarray, np.ndarray]:
    """Return logits (n, classes) and class numbers (n,) as arrays; ShapeError when they do not fit."""
    logits = logits.data if isinstance(logits, Tensor) else np.asarray(logits)
    y = y.data if isinstance(y, Tensor) else np.asarray(y)
    if y.ndim == 2 and y.shape == logits.shape:
        y = y.argmax(axis=1)
    if logits.ndim != 2 or y.shape != logits.shape[:1]:
        raise ShapeError(
            f"{name}: logits must be (n, classes) and y (n,) or (n, classes), got logits.shape={logits.shape}, y.shape={y.shape}"
        )
    return logits, y


class Mean(Metric):
    """The base of figures that are means over samples."""

    def __init__(self):
        self.reset()

    def reset(self) -> None:
        self.total, self.count = 0.0, 0

    def compute(self) -> float:
        """Return the mean; NaN before the first sample."""
        return self.total / self.count if self.count else float("nan")


class Loss(Mean):
    """Mean loss over the samples.

    Parameters
    ----------
    function : callable, optional
        `function(logits, y) -> Tensor`, the mean over the batch; cross-entropy without it.
    """

    def __init__(self, function=None):
        super().__init__()
        self.function = F.cross_entropy if function is None else function

    def update(self, logits, y) -> None:
        with no_grad():
            self.total += self.function(logits, y).item() * len(y)
        self.count += len(y)


class Accuracy(Mean):
    """Share of samples whose largest logit is at their label."""

    def update(self, logits, y) -> None:
        logits, y = classes_of("Accuracy", logits, y)
        self.total += int((logits.argmax(axis=1) == y).sum())
        self.count += len(y)


class TopK(Mean):
    """Share of samples whose label is among the `k` largest logits; of equal logits the first counts as larger.

    Parameters
    ----------
    k : int
    """

    def __init__(self, k: int = 5):
        if not isinstance(k, (int, np.integer)) or isinstance(k, bool) or k < 1:
            raise ArgumentError(f"TopK: k must be an int of at least 1, got {k!r}")
        super().__init__()
        self.k = int(k)

    def update(self, logits, y) -> None:
        logits, y = classes_of("TopK", logits, y)
        own = logits[np.arange(len(y)), y][:, None]
        before = np.arange(logits.shape[1]) < y[:, None]
        ahead = ~(logits <= own) | ((logits == own) & before)  # NaN is not <= anything: it is ahead
        self.total += int((ahead.sum(axis=1) < self.k).sum())
        self.count += len(y)


class ConfusionMatrix(Metric):
    """Counts [i, j] of samples with label i whose largest logit is at j: an int64 array (classes, classes)."""

    def __init__(self):
        self.reset()

    def reset(self) -> None:
        self.matrix = np.zeros((0, 0), np.int64)

    def update(self, logits, y) -> None:
        logits, y = classes_of("ConfusionMatrix", logits, y)
        classes = logits.shape[1]
        if not self.matrix.size:
            self.matrix = np.zeros((classes, classes), np.int64)
        if len(self.matrix) != classes or (len(y) and not 0 <= y.min() <= y.max() < classes):
            raise ShapeError(f"ConfusionMatrix: {len(self.matrix)} classes, got logits of {classes} and labels up to {y.max()}")
        self.matrix += np.bincount(y * classes + logits.argmax(axis=1), minlength=classes**2).reshape(classes, classes)

    def compute(self) -> np.ndarray:
        return self.matrix.copy()
