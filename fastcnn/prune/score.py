"""prune.score: how much each filter matters; larger is more. A score reads one layer and the model's arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..errors import ArgumentError
from .chain import Layer

Arrays = Mapping[str, np.ndarray]
Score = Callable[[Layer, Arrays], np.ndarray]


def l1(layer: Layer, arrays: Arrays) -> np.ndarray:
    """Sum of the magnitudes of a filter's weights [Li2017]."""
    weight = arrays[layer.op.tensors["weight"]]
    return np.abs(weight).sum(axis=tuple(range(1, weight.ndim)), dtype=np.float64)


def l2(layer: Layer, arrays: Arrays) -> np.ndarray:
    """Euclidean norm of a filter's weights."""
    weight = arrays[layer.op.tensors["weight"]].astype(np.float64)
    return np.sqrt((weight * weight).sum(axis=tuple(range(1, weight.ndim))))


def batch_norm(layer: Layer, arrays: Arrays) -> np.ndarray:
    """Magnitude of the scale of the batch-norm that follows [Liu2017]; raises ArgumentError where none follows."""
    for op, expansion in layer.between:
        if op.op == "batch_norm" and expansion == 1 and "weight" in op.tensors:
            return np.abs(arrays[op.tensors["weight"]]).astype(np.float64)
    raise ArgumentError(f"prune: score 'batch_norm' needs a batch-norm with a scale after {layer.name!r}")


SCORES: dict[str, Score] = {"l1": l1, "l2": l2, "batch_norm": batch_norm}


def strongest(scores: np.ndarray, count: int) -> np.ndarray:
    """Return the sorted positions of the `count` largest scores; of equal ones the first."""
    return np.sort(np.argsort(-scores, kind="stable")[:count])
