"""optim.range_test: the loss at rising learning rates, to choose one by. Papers: [Smith2017]."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import rng
from ..errors import ArgumentError, MissingExtraError
from ..ops import cross_entropy
from .optimizer import Optimizer
from .sequence import finite, whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class RangeTest:
    """What `lr_range_test` measured.

    Attributes
    ----------
    lrs, losses : list of float
        Learning rate and loss before the update with it, of each step.
    smoothed : list of float
        The losses averaged over the steps before.
    diverged : bool
        Whether the loss rose beyond the bound before the last rate was reached.
    """

    lrs: list[float]
    losses: list[float]
    smoothed: list[float]
    diverged: bool

    @property
    def suggestion(self) -> float:
        """The rate at which the smoothed loss falls fastest against log(rate), before its minimum."""
        lowest = int(np.argmin(self.smoothed))
        if lowest < 2:
            return self.lrs[0]
        slope = np.gradient(np.array(self.smoothed[: lowest + 1]), np.log(self.lrs[: lowest + 1]))
        return self.lrs[int(np.argmin(slope))]

    @property
    def highest(self) -> float:
        """The rate at which the smoothed loss is lowest: the upper end of what may be used, as of a one-cycle schedule."""
        return self.lrs[int(np.argmin(self.smoothed))]

    def plot(self) -> Figure:
        """Return a figure of the loss against the rate; MissingExtraError without matplotlib."""
        try:
            from matplotlib.figure import Figure
        except ImportError:
            raise MissingExtraError(
                "RangeTest.plot needs matplotlib, from the extra 'plot': pip install 'fastcnn[plot]'"
            ) from None
        figure = Figure(figsize=(6, 3.6), layout="constrained")
        axes = figure.subplots()
        axes.plot(self.lrs, self.losses, ".", color="C7", label="loss of a batch")
        axes.plot(self.lrs, self.smoothed, "-", color="C0", label="smoothed")
        axes.axvline(self.suggestion, color="C1", linestyle="--", label=f"steepest: {self.suggestion:.3g}")
        axes.set(xscale="log", xlabel="learning rate", ylabel="loss")
        axes.grid(alpha=0.3)
        axes.legend()
        return figure

    def __str__(self) -> str:
        end = "diverged" if self.diverged else "reached the end"
        return f"{len(self.lrs)} steps, {self.lrs[0]:.3g} .. {self.lrs[-1]:.3g}, {end}; suggestion {self.suggestion:.3g}"


def lr_range_test(
    model,
    optimizer: Optimizer,
    loader: Iterable,
    loss: Callable | None = None,
    *,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 100,
    smoothing: float = 0.9,
    divergence: float = 4.0,
) -> RangeTest:
    """Train for some steps while the learning rate rises from `lowest` to `highest`, and put everything back. [Smith2017]

    Parameters
    ----------
    model : Module
    optimizer : Optimizer
        The rates of its groups keep their proportions; the first one runs from `lowest` to `highest`.
    loader : iterable of batches `(x, y)`
        Begins anew when it ends. The position of a DataLoader stays as it is.
    loss : callable, optional
        loss(model(x), y) -> Tensor of one element; cross-entropy without it.
    lowest, highest : float
        The rates between are equally spaced on a logarithmic scale.
    steps : int
        At least 2.
    smoothing : float, 0 .. 1
        Share of the past in the smoothed loss.
    divergence : float
        Stop when the smoothed loss is more than so many times the lowest, or not finite.

    Returns
    -------
    RangeTest
        `lrs`, `losses`, `smoothed`, `suggestion`, `highest`, `plot()`.

    Raises
    ------
    ArgumentError
        For rates that do not rise, a loader without batches, or a loss that is not finite at the first step.

    Notes
    -----
    Weights, buffers, gradients, optimizer, modes, and the global random generator are as before afterwards, bit for bit, also
    after an error. Costs `steps` training steps and a copy of the model and of the optimizer's state.

    Examples
    --------
    >>> from fastcnn import data, models, optim
    >>> model = models.lenet5()
    >>> loader = data.DataLoader(data.digits(), 32, shuffle=True)
    >>> test = optim.lr_range_test(model, optim.SGD(model.parameters()), loader, steps=5, highest=0.1)
    >>> len(test.lrs), round(test.lrs[-1], 6)
    (5, 0.1)
    """
    name = "lr_range_test"
    lowest, highest, steps = finite(name, "lowest", lowest, 0.0), finite(name, "highest", highest), whole(name, "steps", steps, 2)
    smoothing, divergence = finite(name, "smoothing", smoothing, 0.0, 1.0), finite(name, "divergence", divergence, 1.0)
    if not 0.0 < lowest < highest or smoothing == 1.0:
        raise ArgumentError(f"{name}: 0 < lowest < highest and smoothing < 1 are needed, got {lowest}, {highest} and {smoothing}")
    first = optimizer.param_groups[0]["lr"]
    shares = [group["lr"] / first if first else 1.0 for group in optimizer.param_groups]
    lrs: list[float] = []
    losses: list[float] = []
    smoothed: list[float] = []
    average, diverged = 0.0, False
    with restored(model, optimizer):
        model.train()
        for (x, y), lr in zip(_endless(loader), np.geomspace(lowest, highest, steps).tolist(), strict=False):
            value = (cross_entropy if loss is None else loss)(model(x), y)
            measured = value.item()
            if not math.isfinite(measured):
                diverged = True
                break
            average = smoothing * average + (1.0 - smoothing) * measured
            lrs.append(lr)
            losses.append(measured)
            smoothed.append(average / (1.0 - smoothing ** len(lrs)))
            if smoothed[-1] > divergence * min(smoothed):
                diverged = True
                break
            optimizer.zero_grad()
            value.backward()
            for group, share in zip(optimizer.param_groups, shares, strict=True):
                group["lr"] = lr * share
            optimizer.step()
    if not lrs:
        raise ArgumentError(
            f"{name}: the loss of the first batch is not finite" if diverged else f"{name}: the loader gave no batch"
        )
    return RangeTest(lrs, losses, smoothed, diverged)


def _endless(loader: Iterable) -> Iterator:
    """Batches of `loader`, again and again; a loader with a position keeps it."""
    loader = copy.copy(loader) if callable(getattr(loader, "load_state_dict", None)) else loader
    found = True
    while found:
        found = False
        for batch in loader:
            found = True
            yield batch


@contextmanager
def restored(model, optimizer: Optimizer | None) -> Iterator[None]:
    """Put model, optimizer and random generator back at the end."""
    groups = [] if optimizer is None else optimizer.param_groups
    tensors = [*model.parameters(), *model.buffers(), *(p for group in groups for p in group["params"])]
    values = [(t, t.data.copy(order="K"), t.grad) for t in dict.fromkeys(tensors)]
    modes = [(m, m.training) for m in model.modules()]
    state, generator = None if optimizer is None else copy.deepcopy(optimizer.state_dict()), rng.get_state()
    try:
        yield
    finally:
        for tensor, value, grad in values:
            tensor.data[...] = value
            tensor.version += 1
            tensor.grad = grad
        for module, mode in modes:
            module.training = mode
        if optimizer is not None and state is not None:
            optimizer.load_state_dict(state)
        rng.set_state(generator)
