"""train.averaging: an exponential moving average of the weights during a training. Papers: [Polyak1992]."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError, StateError
from ..nn.state import entries
from .callback import Callback


class EMA(Callback):
    """Average weights and running statistics: a = d * a + (1 - d) * w after each update. [Polyak1992]

    The Trainer validates with the averages, `BestModel` saves them, and `with ema: ...` puts them into the model for a while.
    The weights that are trained are never touched.

    Parameters
    ----------
    decay : float, 0 .. 1
        d. The first updates use less, min(decay, (1 + updates) / (10 + updates)), so that the start is forgotten soon.
    """

    def __init__(self, decay: float = 0.999):
        if not 0.0 <= decay < 1.0:
            raise ArgumentError(f"EMA: decay must be at least 0 and below 1, got {decay!r}")
        self.decay, self.updates = decay, 0
        self.averages: dict[str, np.ndarray] = {}
        self._tensors: dict = {}
        self._weights: dict | None = None

    def on_train_begin(self, trainer) -> None:
        """Start from the weights as they are, unless there are averages already."""
        self._tensors = dict(entries(trainer.model))
        if not self.averages:
            self.averages = {name: tensor.data.copy(order="K") for name, tensor in self._tensors.items()}
        shapes = {name: average.shape for name, average in self.averages.items()}
        misfit = [name for name, tensor in self._tensors.items() if shapes.get(name) != tensor.shape]
        if misfit:
            raise StateError(f"EMA: the averages are those of another model: {', '.join(misfit)}")
        trainer.average = self

    def on_step_end(self, trainer) -> None:
        self.updates += 1
        share = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, tensor in self._tensors.items():
            average = self.averages[name]
            if average.dtype.kind == "f":
                average += average.dtype.type(share) * (tensor.data - average)
            else:
                average[...] = tensor.data  # counters

    def __enter__(self) -> EMA:
        """Put the averages into the model."""
        if self._weights is not None or not self._tensors:
            raise StateError("EMA: the averages are in the model already, or no training has begun")
        self._weights = {name: tensor.data.copy(order="K") for name, tensor in self._tensors.items()}
        self._put(self.averages)
        return self

    def __exit__(self, *_exception) -> None:
        """Put the weights back."""
        weights, self._weights = self._weights, None
        self._put(weights)

    def _put(self, values) -> None:
        for name, tensor in self._tensors.items():
            tensor.data[...] = values[name]
            tensor.version += 1

    def state_dict(self) -> dict:
        return {"updates": self.updates, "averages": self.averages}

    def load_state_dict(self, state: dict) -> None:
        self.updates = int(state["updates"])
        self.averages = {name: np.array(value, order="K") for name, value in state["averages"].items()}
