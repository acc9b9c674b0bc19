"""data.samplers: orders in which a loader takes the images of an epoch, each drawn from the generator of that epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ArgumentError, DtypeError


def _count(op: str, name: str, value) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
        raise ArgumentError(f"{op}: {name} must be an int of at least 1, got {value!r}")
    return int(value)


class Sampler:
    """Base class: `order(generator)` returns the positions of one epoch as an int array; `len()` is how many there are."""

    def order(self, generator: np.random.Generator) -> np.ndarray:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError


class SequentialSampler(Sampler):
    """0, 1, 2, ... up to the length of `data_source`."""

    def __init__(self, data_source):
        self.data_source = data_source

    def __len__(self) -> int:
        return len(self.data_source)

    def order(self, generator):
        return np.arange(len(self))


class RandomSampler(Sampler):
    """A permutation of `data_source`, or `num_samples` draws from it with or without replacement."""

    def __init__(self, data_source, replacement: bool = False, num_samples: int | None = None):
        self.data_source, self.replacement = data_source, bool(replacement)
        self.num_samples = len(data_source) if num_samples is None else _count("RandomSampler", "num_samples", num_samples)
        if not replacement and self.num_samples > len(data_source):
            raise ArgumentError(
                f"RandomSampler: num_samples {num_samples} needs replacement=True, the data set has {len(data_source)} images"
            )

    def __len__(self) -> int:
        return self.num_samples

    def order(self, generator):
        if self.replacement:
            return generator.integers(len(self.data_source), size=self.num_samples)
        return generator.permutation(len(self.data_source))[: self.num_samples]


class SubsetRandomSampler(Sampler):
    """A permutation of `indices`."""

    def __init__(self, indices: Sequence[int]):
        self.indices = np.asarray(indices)
        if self.indices.ndim != 1 or (self.indices.size and self.indices.dtype.kind not in "iu"):
            raise DtypeError(f"SubsetRandomSampler: indices must be a 1-D array of ints, got {self.indices.dtype}")

    def __len__(self) -> int:
        return len(self.indices)

    def order(self, generator):
        return self.indices[generator.permutation(len(self.indices))]


class WeightedRandomSampler(Sampler):
    """`num_samples` positions, each drawn with a probability proportional to its weight.

    Parameters
    ----------
    weights : sequence of float
        One per image, at least 0; they need not add up to 1. `1 / np.bincount(labels)[labels]` makes classes equally frequent.
    num_samples : int
    replacement : bool
        Without it no position comes twice.

    Raises
    ------
    ArgumentError
        When weights are negative, not finite, all 0, or fewer than are to be drawn without replacement.
    """

    def __init__(self, weights: Sequence[float], num_samples: int, replacement: bool = True):
        self.weights = np.asarray(weights, np.float64)
        self.num_samples, self.replacement = _count("WeightedRandomSampler", "num_samples", num_samples), bool(replacement)
        good = self.weights.ndim == 1 and np.isfinite(self.weights).all() and (self.weights >= 0).all() and self.weights.any()
        if not good:
            raise ArgumentError("WeightedRandomSampler: weights must be one finite number >= 0 per image, not all 0")
        if not replacement and self.num_samples > np.count_nonzero(self.weights):
            raise ArgumentError(
                f"WeightedRandomSampler: num_samples {num_samples} needs replacement=True, "
                f"only {np.count_nonzero(self.weights)} weights are above 0"
            )

    def __len__(self) -> int:
        return self.num_samples

    def order(self, generator):
        if self.replacement:
            bounds = np.cumsum(self.weights)
            return np.searchsorted(bounds, generator.random(self.num_samples) * bounds[-1], side="right").clip(
                max=np.flatnonzero(self.weights)[-1]
            )
        # the first of exponential clocks with these rates rings with these probabilities, and so does the next of the rest
        with np.errstate(divide="ignore"):
            rings = generator.exponential(size=len(self.weights)) / self.weights
        return np.argsort(rings, kind="stable")[: self.num_samples]


class BatchSampler:
    """Batches of `batch_size` positions in the order of `sampler`; a subclass may compose its batches otherwise.

    `batches(generator)` returns the int arrays of one epoch; `len()` is how many there are.
    """

    def __init__(self, sampler: Sampler, batch_size: int, drop_last: bool = False):
        self.sampler, self.batch_size, self.drop_last = sampler, _count("BatchSampler", "batch_size", batch_size), bool(drop_last)

    def __len__(self) -> int:
        full, rest = divmod(len(self.sampler), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def batches(self, generator: np.random.Generator) -> list[np.ndarray]:
        order = self.sampler.order(generator)
        return [order[i * self.batch_size : (i + 1) * self.batch_size] for i in range(len(self))]
