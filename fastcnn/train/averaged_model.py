"""train.averaged_model: averages of weights for plain loops, under PyTorch's names. Papers: [Polyak1992], [Izmailov2018]."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy import ndarray

from ..autograd import Tensor, no_grad
from ..errors import ArgumentError, StateError
from ..kernels import entry
from ..kernels.update import Update
from ..nn import BatchNorm1d, BatchNorm2d, Module
from ..threads import get_num_threads


class Blend:
    """average += share * (value - average) for lists of arrays, one compiled call; counters and other ints are copied."""

    def __init__(self) -> None:
        self._table: Update | None = None
        self._states: list[dict] = []

    def __call__(self, averages: Sequence[ndarray], values: Sequence[ndarray], share: float) -> None:
        pairs = list(zip(averages, values, strict=True))
        for average, value in pairs:
            if average.shape != value.shape or average.dtype != value.dtype:
                raise StateError(
                    f"average: {value.dtype} {value.shape} does not fit the average, {average.dtype} {average.shape}"
                )
            if average.dtype.kind != "f" or share == 1:
                average[...] = value
        if share == 1:
            return
        floats = [(average, value) for average, value in pairs if average.dtype.kind == "f"]
        if self._table is None or len(self._states) != len(floats):
            self._states = [{} for _ in floats]
            self._table = Update("sgd", len(floats), 1)
        # p -= lr * (-g + p): ascent along g with a decay of 1
        self._table.set_options(0, lr=share, weight_decay=1.0, maximize=True)
        given: list[ndarray | None] = [value for _, value in floats]
        states: list[dict | None] = [*self._states]
        stale = self._table.step([average for average, _ in floats], given, states, get_num_threads())
        if stale:
            for i in stale:
                self._table.bind(i, 0, floats[i][0], self._states[i], (None,), np.array(0, np.int64))
            self._table.step([average for average, _ in floats], given, states, get_num_threads())

    def __deepcopy__(self, memo) -> Blend:
        return type(self)()

    def __reduce__(self):
        return type(self), ()


def _arrays(tensors: Iterable) -> list[ndarray]:
    return [t.data if isinstance(t, Tensor) else t for t in tensors]


class get_ema_multi_avg_fn:
    """Make the function for `AveragedModel` that gives a = decay * a + (1 - decay) * w. [Polyak1992]

    Parameters
    ----------
    decay : float, 0 .. 1
    """

    def __init__(self, decay: float = 0.999):
        if not isinstance(decay, (int, float)) or not 0.0 <= decay <= 1.0:
            raise ArgumentError(f"get_ema_multi_avg_fn: decay must be between 0 and 1, got {decay!r}")
        self.decay, self._blend = decay, Blend()

    def __call__(self, averaged: Sequence[Tensor], current: Sequence[Tensor], num_averaged: int) -> None:
        self._blend(_arrays(averaged), _arrays(current), 1.0 - self.decay)


class get_swa_multi_avg_fn:
    """Make the function for `AveragedModel` that gives the mean of all weights so far. [Izmailov2018]"""

    def __init__(self) -> None:
        self._blend = Blend()

    def __call__(self, averaged: Sequence[Tensor], current: Sequence[Tensor], num_averaged: int) -> None:
        self._blend(_arrays(averaged), _arrays(current), 1.0 / (int(num_averaged) + 1))


class AveragedModel(Module):
    """A copy of a model whose weights are an average over time of the model's.

    Parameters
    ----------
    model : Module
    avg_fn : callable, optional
        avg_fn(average, weight, n) -> Tensor, for one tensor after n averages.
    multi_avg_fn : callable, optional
        multi_avg_fn(averages, weights, n) -> None, which changes the tensors in place: `get_ema_multi_avg_fn(decay)` or
        `get_swa_multi_avg_fn()`, the default.
    use_buffers : bool
        Average running statistics as well; without it they are copied. `update_bn` estimates them anew.

    Attributes
    ----------
    module : Module
        The copy.
    n_averaged : Tensor of int64
        Calls of `update_parameters`. It is part of the state dict, beside "module.*" as in PyTorch.

    Examples
    --------
    >>> from fastcnn import nn, train
    >>> model = nn.Linear(2, 1)
    >>> ema = train.AveragedModel(model, multi_avg_fn=train.get_ema_multi_avg_fn(0.9))
    >>> ema.update_parameters(model)  # after each update of the model
    >>> ema.n_averaged.item(), list(ema.state_dict())
    (1, ['n_averaged', 'module.weight', 'module.bias'])
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        avg_fn: Callable | None = None,
        multi_avg_fn: Callable | None = None,
        use_buffers: bool = False,
    ):
        if avg_fn is not None and multi_avg_fn is not None:
            raise ArgumentError("AveragedModel: avg_fn and multi_avg_fn exclude each other")
        self.module = copy.deepcopy(model)
        self.module.zero_grad()
        self.register_buffer("n_averaged", np.zeros((), np.int64))
        self.avg_fn, self.use_buffers = avg_fn, use_buffers
        self.multi_avg_fn = multi_avg_fn or get_swa_multi_avg_fn()

    def forward(self, *inputs, **options):
        return self.module(*inputs, **options)

    def update_parameters(self, model: Module) -> None:
        """Take the weights of `model` into the average; the first time they are copied.

        Raises StateError when the model is another one than the copy.
        """
        entry.refuse("AveragedModel.update_parameters")  # counts in Python; nothing without a recording
        pairs = self._pairs("parameters", model)
        if self.use_buffers:
            pairs += self._pairs("buffers", model)
        n = self.n_averaged.item()
        with no_grad():
            if n == 0:
                _copy(pairs)
            elif self.avg_fn is not None:
                counters = [(average, tensor) for average, tensor in pairs if average.dtype.kind != "f"]
                _copy([(a, self.avg_fn(a, tensor, n)) for a, tensor in pairs if a.dtype.kind == "f"] + counters)
            else:
                self.multi_avg_fn([average for average, _ in pairs], [tensor for _, tensor in pairs], n)
                for average, _ in pairs:
                    average.version += 1
        if not self.use_buffers:
            _copy(self._pairs("buffers", model))
        self.n_averaged.data += 1

    def _pairs(self, kind: str, model: Module) -> list[tuple[Tensor, Tensor]]:
        own, given = list(getattr(self.module, kind)()), list(getattr(model, kind)())
        if [t.shape for t in own] != [t.shape for t in given]:
            raise StateError(f"AveragedModel: the {kind} of the model are not those of the average")
        return list(zip(own, given, strict=True))


def _copy(pairs: Iterable[tuple[Tensor, Tensor]]) -> None:
    for average, tensor in pairs:
        average.data[...] = tensor.data
        average.version += 1


def update_bn(loader: Iterable, model: Module) -> None:
    """Estimate the running statistics of all batch normalisations anew, by one pass over `loader` in training mode.

    Needed when weights were averaged: the statistics on the way were those of other weights. [Izmailov2018]

    Parameters
    ----------
    loader : iterable of batches
        `(x, y)` or x. All batches count alike.
    model : Module
        Its mode is put back; without batch normalisation nothing happens.

    Raises
    ------
    ArgumentError
        When there is no batch.
    """
    norms = [m for m in model.modules() if isinstance(m, (BatchNorm1d, BatchNorm2d)) and m.running_mean is not None]
    if not norms:
        return
    modes = [(m, m.training) for m in model.modules()]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        assert norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None
        for buffer, value in ((norm.running_mean, 0), (norm.running_var, 1), (norm.num_batches_tracked, 0)):
            buffer.data[...] = value
            buffer.version += 1
        norm.momentum = None
    batch = None
    try:
        model.train()
        with no_grad():
            for batch in loader:
                model(batch[0] if isinstance(batch, (list, tuple)) else batch)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode
    if batch is None:
        raise ArgumentError("update_bn: the loader gave no batch")
