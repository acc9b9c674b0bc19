"""train.averaging: averages of the weights during a training, as callbacks. Papers: [Polyak1992], [Izmailov2018]."""

from __future__ import annotations

import copy
from itertools import islice
from typing import Any

import numpy as np

from .. import rng
from ..errors import ArgumentError, StateError
from ..nn.state import entries
from .averaged_model import Blend, update_bn
from .callback import Callback
from .running import resumable


class Averaging(Callback):
    """Weights and running statistics averaged over time; the weights that are trained are never touched.

    The Trainer validates with the averages, `BestModel` saves them, and `with average: ...` puts them into the model for a
    while.
    """

    def __init__(self) -> None:
        self.updates = 0
        self.averages: dict[str, np.ndarray] = {}
        self._tensors: dict = {}
        self._weights: dict | None = None
        self._blend = Blend()

    def on_train_begin(self, trainer) -> None:
        """Start from the weights as they are, unless there are averages already."""
        name = type(self).__name__
        self._tensors = dict(entries(trainer.model))
        if not self.averages:
            self.averages = {name: tensor.data.copy(order="K") for name, tensor in self._tensors.items()}
        shapes = {key: average.shape for key, average in self.averages.items()}
        misfit = [key for key, tensor in self._tensors.items() if shapes.get(key) != tensor.shape]
        if misfit:
            raise StateError(f"{name}: the averages are those of another model: {', '.join(misfit)}")

    def take(self, share: float) -> None:
        """averages += share * (weights - averages)."""
        self.updates += 1
        averages = [self.averages[name] for name in self._tensors]
        self._blend(averages, [tensor.data for tensor in self._tensors.values()], share)

    def __enter__(self):
        """Put the averages into the model."""
        if self._weights is not None or not self._tensors:
            raise StateError(f"{type(self).__name__}: the averages are in the model already, or no training has begun")
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


class EMA(Averaging):
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
        self.decay = decay
        super().__init__()

    def on_train_begin(self, trainer) -> None:
        super().on_train_begin(trainer)
        if trainer.average is None:  # SWA goes before
            trainer.average = self

    def on_step_end(self, trainer) -> None:
        self.take(1 - min(self.decay, (2 + self.updates) / (11 + self.updates)))


class SWA(Averaging):
    """The mean of the weights at the end of the epochs from `start` on, with running statistics of its own. [Izmailov2018]

    From the epoch after `start` on the Trainer validates with the mean, `BestModel` saves it, and `with swa: ...` puts it into
    the model for a while. The statistics of batch normalisation are estimated anew by a pass over training batches, when the
    mean is used for the first time after it has changed. `optim.lr_scheduler.SWALR` is the usual schedule.

    Parameters
    ----------
    start : int
        The first epoch, counted from 1, whose weights count.
    every_steps : int, optional
        Take the weights after each so many updates as well, not only at the ends of epochs.
    batches : int, optional
        Training batches for the statistics; a whole epoch without it. 0: the statistics are averaged as the weights are.
    """

    def __init__(self, start: int, *, every_steps: int | None = None, batches: int | None = None):
        for name, value, least in (("start", start, 1), ("every_steps", every_steps, 1), ("batches", batches, 0)):
            if (value is None and name == "start") or (value is not None and (not isinstance(value, int) or value < least)):
                raise ArgumentError(f"SWA: {name} must be an int of at least {least}, got {value!r}")
        self.start, self.every_steps, self.batches = start, every_steps, batches
        self.estimated = False  # whether the statistics are those of the averages
        self._loader: Any = None
        self._model: Any = None
        super().__init__()

    def on_train_begin(self, trainer) -> None:
        super().on_train_begin(trainer)
        self._loader, self._model = trainer.loader, trainer.model
        if self.updates:
            trainer.average = self

    def on_step_end(self, trainer) -> None:
        if self.every_steps is not None and len(trainer.history) + 1 >= self.start and trainer.step % self.every_steps == 0:
            self._count(trainer)

    def on_epoch_end(self, trainer, epoch) -> None:
        if epoch.number >= self.start and (self.every_steps is None or trainer.step % self.every_steps):
            self._count(trainer)

    def _count(self, trainer) -> None:
        self.take(1 / (self.updates + 1))
        self.estimated, trainer.average = False, self

    def __enter__(self) -> SWA:
        super().__enter__()
        if self.batches != 0 and not self.estimated:
            try:
                self._estimate()
            except BaseException:
                self.__exit__()
                raise
        return self

    def _estimate(self) -> None:
        """Estimate the statistics with the averages in the model; loader and generator stay as they are."""
        loader = copy.copy(self._loader) if resumable(self._loader) else self._loader
        state = rng.get_state()
        try:
            update_bn(islice(loader, self.batches), self._model)
        finally:
            rng.set_state(state)
        for name, tensor in self._tensors.items():
            self.averages[name][...] = tensor.data
        self.estimated = True

    def state_dict(self) -> dict:
        return {**super().state_dict(), "estimated": self.estimated}

    def load_state_dict(self, state: dict) -> None:
        super().load_state_dict(state)
        self.estimated = bool(state["estimated"])
