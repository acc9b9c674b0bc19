"""train.evaluate: top-1 accuracy and mean loss of a model on a dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from ..autograd import no_grad
from ..data import DataLoader
from ..errors import ArgumentError
from ..graph import evaluation
from .metrics import Accuracy, Loss, Metric


class Evaluation(NamedTuple):
    """Share of images whose largest logit is at their label, and the mean loss."""

    accuracy: float
    loss: float


def evaluate(
    model, dataset, *, batch_size: int = 256, loss: Callable | None = None, metrics: Iterable[Metric] = ()
) -> Evaluation:
    """Return accuracy and loss of `model` on `dataset`, in evaluation mode and without recording.

    Parameters
    ----------
    model : Module
        Gives logits (n, classes). The mode of each of its modules is put back afterwards.
    dataset : ArrayDataset, Subset, or an iterable of batches `(x, y)` such as a DataLoader
    batch_size : int
        Size of the batches when `dataset` is a dataset.
    loss : callable, optional
        `loss(logits, y) -> Tensor`, the mean over a batch; cross-entropy without it.
    metrics : iterable of Metric
        These are reset and updated as well; their `compute()` gives the figures afterwards.
    """
    accuracy, mean_loss = Accuracy(), Loss(loss)
    measure(model, batches_of(dataset, batch_size), [accuracy, mean_loss, *metrics])
    if not accuracy.count:
        raise ArgumentError("evaluate: the dataset is empty")
    return Evaluation(accuracy.compute(), mean_loss.compute())


def batches_of(dataset, batch_size: int) -> Iterable:
    """Return an iterable of batches of a dataset, or `dataset` itself if it is one already."""
    return DataLoader(dataset, batch_size) if callable(getattr(dataset, "batch", None)) else dataset


def measure(model, batches: Iterable, metrics: Iterable[Metric]) -> None:
    """Reset the metrics and update them with the logits of `model`, in evaluation mode and without recording."""
    metrics = list(metrics)
    for metric in metrics:
        metric.reset()
    with no_grad(), evaluation(model):
        for x, y in batches:
            logits = model(x)
            for metric in metrics:
                metric.update(logits, y)


def figures_of(model, batches: Iterable, loss: Callable | None, metrics: Mapping[str, Metric]) -> dict:
    """Return the columns of an `Epoch` that come from a validation; nothing when there is no batch."""
    accuracy, mean_loss = Accuracy(), Loss(loss)
    measure(model, batches, [accuracy, mean_loss, *metrics.values()])
    if not mean_loss.count:
        return {}
    values = {name: metric.compute() for name, metric in metrics.items()}
    return {
        "validation_loss": mean_loss.compute(),
        "validation_accuracy": accuracy.compute(),
        "metrics": {name: float(value) for name, value in values.items() if getattr(value, "ndim", 0) == 0},
    }
