"""report.figures: what models cost and reach, all measured."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from tempfile import TemporaryDirectory

from ..graph import trace
from ..io import save
from ..nn import Module
from ..train import evaluate
from .latency import Latency, measure_latencies

BATCH = 64
CALLS = 400  # a 95th percentile out of 20 slower calls


@dataclass(frozen=True)
class Figures:
    """Figures of one model.

    Attributes
    ----------
    accuracy : float
        Share of right answers, 0 to 1.
    parameters : int
    file_bytes : int
        Size of the model's file, as `fastcnn.save` writes it.
    macs : int
        Multiply-adds for one image.
    single, batch : Latency
        Seconds per call with 1 image and with BATCH = 64 images.
    """

    accuracy: float
    parameters: int
    file_bytes: int
    macs: int
    single: Latency
    batch: Latency


def _file_bytes(model) -> int:
    with TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.safetensors")
        save(model, path)
        return os.path.getsize(path)


def compare(models: Mapping[str, Module], dataset, *, seconds: float = 2.0) -> dict[str, Figures]:
    """Return the figures of each model, with the accuracy on `dataset` and the latencies of its first images.

    The latencies of all models are measured in turn, for at most `seconds` per batch size.
    """
    one, _ = dataset.batch(slice(0, 1))
    many, _ = dataset.batch(slice(0, BATCH))
    single = measure_latencies(models, one, seconds=seconds, calls=CALLS)
    batch = measure_latencies(models, many, seconds=seconds, calls=CALLS)
    figures = {}
    for name, model in models.items():
        graph = trace(model, one)
        accuracy = evaluate(model, dataset).accuracy
        figures[name] = Figures(accuracy, graph.parameter_count, _file_bytes(model), graph.macs, single[name], batch[name])
    return figures


def measure(model, dataset, *, seconds: float = 2.0) -> Figures:
    """Return the figures of one model, see `compare`; latencies of models to be compared belong into one `compare`."""
    return compare({"model": model}, dataset, seconds=seconds)["model"]
