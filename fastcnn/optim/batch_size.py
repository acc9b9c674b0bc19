"""optim.batch_size: batch sizes over time, and learning rates that follow them.

Papers: [Goyal2017], [Krizhevsky2014], [SmithS2018], [McCandlish2018].
"""

from __future__ import annotations

import math

from ..errors import ArgumentError, StateError
from .lr_scheduler import Constant
from .noise_scale import NoiseScale
from .plateau import ReduceLROnPlateau
from .scheduler import LRScheduler
from .sequence import as_schedule, whole

COUPLINGS = {"linear": lambda ratio: ratio, "sqrt": math.sqrt, "none": lambda ratio: 1.0}


class BatchPolicy(LRScheduler):
    """Another schedule whose rates are multiplied by what the batch size of a loader calls for; step only this one.

    When the size changes, the factor goes on a straight line, in `warmup` steps, to (size / first size), its root, or stays 1.
    A subclass defines `wanted()`, the size from now on.

    Attributes
    ----------
    size : int
        Images per update: batch size of the loader times `accumulated`.
    accumulated : int
        Batches per update; 1 unless `accumulate`.
    """

    accumulated = 1

    def __init__(
        self,
        schedule,
        loader,
        *,
        coupling: str = "linear",
        warmup: int = 0,
        largest: int | None = None,
        accumulate: bool = False,
    ):
        name = type(self).__name__
        if coupling not in COUPLINGS:
            raise ArgumentError(f"{name}: coupling must be one of {', '.join(COUPLINGS)}, got {coupling!r}")
        if getattr(loader, "batch_size", None) is None or getattr(loader, "batch_sampler", None) is not None:
            raise ArgumentError(f"{name}: loader must have a batch_size that can be changed, got {type(loader).__name__}")
        if isinstance(schedule, ReduceLROnPlateau):
            raise ArgumentError(f"{name}: ReduceLROnPlateau waits for figures and cannot be multiplied")
        self.schedule: LRScheduler = schedule if isinstance(schedule, LRScheduler) else Constant(schedule)
        self.optimizer, self.base_lrs, self.loader = self.schedule.optimizer, self.schedule.base_lrs, loader
        self.coupling, self.warmup = coupling, whole(name, "warmup", warmup, 0)
        self.largest = None if largest is None else whole(name, "largest", largest)
        self.accumulate = bool(accumulate)
        self.first_size, self.last_epoch, self.scale = loader.batch_size, 0, 1.0
        self._from, self._changed = 1.0, 0  # the factor when the size changed last, and at which step
        self._apply()

    def wanted(self) -> int:
        """Return the batch size from now on."""
        raise NotImplementedError

    def lr_at(self, step, base):
        """Return the rate of the other schedule times the present factor."""
        return self.schedule.lr_at(step, base) * self.scale

    def step(self) -> None:
        self.last_epoch += 1
        self.schedule.last_epoch += 1
        self._apply()

    def _apply(self) -> None:
        self._resize(max(1, self.wanted()))
        end = COUPLINGS[self.coupling](self.size / self.first_size)
        done = min(1.0, (self.last_epoch - self._changed) / self.warmup) if self.warmup else 1.0
        self.scale = end if done == 1.0 else self._from + (end - self._from) * done
        self.schedule.scale = self.scale
        self.schedule._apply()

    @property
    def size(self) -> int:
        return self.loader.batch_size * self.accumulated

    def _resize(self, size: int) -> None:
        batches = 1
        if self.largest is not None and self.accumulate:
            batches = -(-size // self.largest)
            size = round(size / batches)
        elif self.largest is not None:
            size = min(size, self.largest)
        if size * batches != self.size:
            self._from, self._changed = self.scale, self.last_epoch
        self.loader.batch_size, self.accumulated = size, batches

    def state_dict(self) -> dict:
        """Return the position, the size, the factor on its way, and the state of the other schedule."""
        own = {"last_epoch": self.last_epoch, "size": self.loader.batch_size, "first_size": self.first_size}
        own["accumulated"] = self.accumulated
        return {**own, "from": self._from, "changed": self._changed, "schedule": self.schedule.state_dict()}

    def load_state_dict(self, values: dict) -> None:
        """Restore what `state_dict` returned, and set batch size and rates of that step."""
        name = type(self).__name__
        try:
            last, size, first, changed = (int(values[key]) for key in ("last_epoch", "size", "first_size", "changed"))
            begin, inner, batches = float(values["from"]), values["schedule"], int(values["accumulated"])
        except (KeyError, TypeError, ValueError) as error:
            raise StateError(f"{name}: not a state dict of a batch policy: {error!r}") from None
        if last < 0 or min(size, first, batches) < 1 or not 0 <= changed <= last:
            raise StateError(f"{name}: batches of {size}, {first} at first, at step {last} cannot be")
        self.schedule.load_state_dict(inner)
        self.base_lrs = self.schedule.base_lrs
        self.last_epoch, self.first_size, self.loader.batch_size, self.accumulated = last, first, size, batches
        self._from, self._changed = begin, changed
        self._apply()


class BatchSchedule(BatchPolicy):
    """Batch sizes by a schedule, and learning rates that follow them: in proportion, with the root, or not at all.

    Parameters
    ----------
    schedule : LRScheduler or Optimizer
        What sets the rates apart from the batch; it is stepped by this one. An optimizer stands for constant rates.
    loader : DataLoader
        Its batch size when this is made is the one that the rates are meant for.
    sizes : Schedule, number or callable
        Images per batch at each step, rounded.
    coupling : {"linear", "sqrt", "none"}
        "linear": twice the batch, twice the rate [Goyal2017]. "sqrt": the variance of the update stays [Krizhevsky2014]. "none":
        the batch grows instead of a rate that falls [SmithS2018].
    warmup : int
        Steps in which the rate follows a change, on a straight line. [Goyal2017]
    largest : int, optional
        Upper bound of the loader's batch, e.g. what fits into memory.
    accumulate : bool
        Reach larger sizes by `accumulated` batches for each update: a `Trainer` does so, a plain loop has to.

    Examples
    --------
    >>> from fastcnn import data, nn, optim
    >>> from fastcnn.optim.schedule import constant
    >>> loader = data.DataLoader(data.digits(), 32)
    >>> optimizer = optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1)
    >>> schedule = optim.BatchSchedule(optimizer, loader, constant(32, steps=2) >> constant(64), warmup=2)
    >>> for _ in range(5):
    ...     print(loader.batch_size, round(optimizer.param_groups[0]["lr"], 3))
    ...     schedule.step()
    32 0.1
    32 0.1
    64 0.1
    64 0.15
    64 0.2
    """

    def __init__(self, schedule, loader, sizes, **options):
        self.sizes = as_schedule(sizes)
        super().__init__(schedule, loader, **options)

    def wanted(self) -> int:
        return round(self.sizes(self.last_epoch))


class BatchGrowth(BatchPolicy):
    """A batch that grows with the gradient noise scale, and learning rates that follow it. [McCandlish2018]

    Each `every` steps, where the noise scale is at least `factor` times the images of an update, the batch becomes `factor`
    times as large. A `Trainer` with `accumulate` of 2 or more measures the scale; a plain loop calls `noise.update`.

    Parameters
    ----------
    schedule, loader, coupling, warmup, largest, accumulate
        As in `BatchSchedule`.
    every : int
        Steps between two decisions.
    factor : int
        At least 2.
    decay : float, 0 .. 1
        Share of the past in the measurement.

    Attributes
    ----------
    noise : NoiseScale
    """

    def __init__(self, schedule, loader, *, every: int = 50, factor: int = 2, decay: float = 0.95, **options):
        self.every, self.factor = whole("BatchGrowth", "every", every), whole("BatchGrowth", "factor", factor, 2)
        self.noise = NoiseScale(decay)
        super().__init__(schedule, loader, **options)

    def wanted(self) -> int:
        """Return the present size, or at a step of a decision `factor` times as many."""
        size = self.size
        due = self.last_epoch % self.every == 0 and self.last_epoch > self._changed
        if due and self.noise.value >= self.factor * self.noise.large:
            size *= self.factor
        return size

    def state_dict(self) -> dict:
        return {**super().state_dict(), "noise": self.noise.state_dict()}

    def load_state_dict(self, values: dict) -> None:
        if "noise" not in values:
            raise StateError("BatchGrowth: not a state dict of this policy: no noise")
        before = self.noise.state_dict()
        self.noise.load_state_dict({"count": 0, "large": 0, "signal": 0.0, "noise": 0.0})  # no decision while loading
        try:
            super().load_state_dict(values)
        except BaseException:
            self.noise.load_state_dict(before)
            raise
        self.noise.load_state_dict(values["noise"])
