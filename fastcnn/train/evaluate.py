"""train.evaluate: top-1 accuracy and mean loss of a model on a dataset."""

from __future__ import annotations

from typing import NamedTuple

from ..autograd import no_grad
from ..data import DataLoader
from ..errors import ArgumentError
from ..graph import evaluation
from ..nn import functional as F


class Evaluation(NamedTuple):
    """Share of images whose largest logit is at their label, and the mean cross-entropy."""

    accuracy: float
    loss: float


def evaluate(model, dataset, *, batch_size: int = 256) -> Evaluation:
    """Return accuracy and loss of `model` on `dataset`, in evaluation mode and without recording.

    Parameters
    ----------
    model : Module
        Gives logits (n, classes). The mode of each of its modules is put back afterwards.
    dataset : ArrayDataset, Subset, or an iterable of batches `(x, y)` such as a DataLoader
    batch_size : int
        Size of the batches when `dataset` is a dataset.
    """
    batches = DataLoader(dataset, batch_size) if callable(getattr(dataset, "batch", None)) else dataset
    right, total, count = 0, 0.0, 0
    with no_grad(), evaluation(model):
        for x, y in batches:
            logits = model(x)
            right += int((logits.numpy().argmax(axis=1) == y).sum())
            total += F.cross_entropy(logits, y, reduction="sum").item()
            count += len(y)
    if not count:
        raise ArgumentError("evaluate: the dataset is empty")
    return Evaluation(right / count, total / count)
