"""train.batch_size: which batch size has the most images per second on this processor."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from ..autograd import Tensor, no_grad
from ..errors import ArgumentError, DtypeError
from ..kernels.memory import empty_cache, memory_stats
from ..nn import functional as F
from ..optim.range_test import restored

RUNS = 3  # timed, of each size, whatever the time


@dataclass(frozen=True)
class BatchSizes:
    """What `best_batch_size` measured.

    Attributes
    ----------
    batch_size : int
        The smallest size whose rate is within `tolerance` of the best.
    sizes : list of int
    images_per_second : list of float
    nbytes : list of int
        Memory of a step, beside weights and optimizer.
    stopped : str
        Why no larger size was tried.
    """

    batch_size: int
    sizes: list[int]
    images_per_second: list[float]
    nbytes: list[int]
    stopped: str

    def __str__(self) -> str:
        lines = [f"{'batch':>7} {'images/s':>10} {'MiB':>8}"]
        for size, rate, nbytes in zip(self.sizes, self.images_per_second, self.nbytes, strict=True):
            lines.append(f"{size:7d} {rate:10.0f} {nbytes / 2**20:8.1f}{' *' if size == self.batch_size else ''}")
        return "\n".join([*lines, f"ended: {self.stopped}"])


def best_batch_size(
    model,
    example,
    *,
    loss: Callable | None = None,
    optimizer=None,
    training: bool = True,
    sizes: Sequence[int] = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
    seconds: float = 5.0,
    max_memory: float | None = None,
    tolerance: float = 0.02,
) -> BatchSizes:
    """Time a step at each batch size, smallest first, and return the one with the most images per second.

    Parameters
    ----------
    model : Module
    example : (x, y), or x without `training`
        A batch of any size; its images are repeated or cut.
    loss : callable, optional
        loss(model(x), y) -> Tensor of one element; cross-entropy without it.
    optimizer : Optimizer, optional
        Its update is part of the step then; it is put back.
    training : bool
        Forward, loss and backward; False: forward in evaluation mode.
    sizes : sequence of int
        Rising.
    seconds : float
        Bound of the time of all; a size that would not end in time is left out. The first one is always tried.
    max_memory : float, optional
        Bytes that a step may take, beside the model; half of what the machine has free without it. A size that would need more,
        in proportion to the one before, is left out.
    tolerance : float
        Take the smallest size that is at most this share slower than the best.

    Returns
    -------
    BatchSizes

    Raises
    ------
    ArgumentError
        For sizes that do not rise, or no images.

    Notes
    -----
    Each size runs once untimed, then all of them in turn until the time is over, at least 3 times; the first quartile counts,
    since other programs only ever make a run longer. Weights, buffers, gradients, modes, optimizer and
    the global random generator are as before afterwards.

    Examples
    --------
    >>> from fastcnn import data, models, train
    >>> example = data.digits().batch(slice(0, 8))
    >>> found = train.best_batch_size(models.lenet5(), example, sizes=(4, 8), seconds=0.2)
    >>> found.batch_size in found.sizes
    True
    """
    rising = [*sizes]
    if not rising or any(not hasattr(n, "__index__") or n < 1 for n in rising) or rising != sorted(set(rising)):
        raise ArgumentError(f"best_batch_size: sizes must be rising ints of at least 1, got {rising}")
    if not seconds > 0 or not 0.0 <= tolerance < 1.0 or (max_memory is not None and not max_memory > 0):
        raise ArgumentError(
            "best_batch_size: seconds and max_memory must be above 0 and tolerance from 0 to below 1, "
            f"got {seconds}, {max_memory} and {tolerance}"
        )
    x, y = _arrays(example, training)
    bound = max_memory if max_memory is not None else free_memory() / 2
    tried: list[tuple] = []
    times: list[list[float]] = []
    memory: list[int] = []
    stopped, end = "all sizes tried", perf_counter() + seconds
    with restored(model, optimizer):
        model.train(training)
        run = _step(model, loss or F.cross_entropy, optimizer) if training else _forward(model)
        for number, size in enumerate(rising):
            if number:
                growth = size / rising[number - 1]
                if memory[-1] * growth > bound:
                    stopped = f"a batch of {size} would take about {memory[-1] * growth / 2**20:.0f} MiB"
                    break
                if perf_counter() + RUNS * sum(map(min, times)) + (RUNS + 1) * growth * min(times[-1]) > end:
                    stopped = f"a batch of {size} would not end within {seconds:g} s"
                    break
            tried.append((Tensor(_resized(x, size)), None if y is None else _resized(y, size)))
            memory.append(_memory(run, *tried[-1]))
            times.append([_time(run, *tried[-1])])
        rounds = 1
        while rounds < RUNS or perf_counter() + sum(map(min, times)) < end:
            for inputs, seen in zip(tried, times, strict=True):
                seen.append(_time(run, *inputs))
            rounds += 1
    rates = [size / float(np.quantile(seen, 0.25)) for size, seen in zip(rising, times, strict=False)]
    enough = (1.0 - tolerance) * max(rates)
    best = next(size for size, rate in zip(rising, rates, strict=False) if rate >= enough)
    return BatchSizes(best, rising[: len(rates)], rates, memory, stopped)


def _arrays(example, training: bool) -> tuple[np.ndarray, np.ndarray | None]:
    if training and not (isinstance(example, (tuple, list)) and len(example) == 2):
        raise DtypeError(f"best_batch_size: example must be a batch (x, y), got {type(example).__name__}")
    x, y = example if isinstance(example, (tuple, list)) else (example, None)
    x = x.data if isinstance(x, Tensor) else np.asarray(x)
    if x.ndim < 2 or not len(x):
        raise ArgumentError(f"best_batch_size: example has no images (x.shape={x.shape})")
    return x, None if y is None else np.asarray(y.data if isinstance(y, Tensor) else y)


def _resized(a: np.ndarray, size: int) -> np.ndarray:
    """`size` rows of a, again and again; in the memory order of a."""
    index = np.arange(size) % len(a)
    return a.transpose(0, 2, 3, 1)[index].transpose(0, 3, 1, 2) if a.ndim == 4 else a[index]


def _step(model, loss: Callable, optimizer) -> Callable:
    def run(x, y, seen=None) -> None:
        value = loss(model(x), y)
        if seen is not None:
            seen()
        model.zero_grad()
        value.backward()
        if optimizer is not None:
            optimizer.step()

    return run


def _forward(model) -> Callable:
    def run(x, _, seen=None) -> None:
        with no_grad():
            y = model(x)
        if seen is not None:
            seen()
        del y

    return run


def _memory(run: Callable, x, y) -> int:
    """Bytes of one step, as its largest moments tell: after forward, and what it leaves in the cache."""
    empty_cache()
    before, most = memory_stats()["in_use"], 0

    def seen():
        nonlocal most
        most = memory_stats()["in_use"] - before

    run(x, y, seen)
    after = memory_stats()
    return max(most, after["in_use"] + after["cached"] - before) + x.data.nbytes


def _time(run: Callable, x, y) -> float:
    """Seconds of one run."""
    start = perf_counter()
    run(x, y)
    return perf_counter() - start


def free_memory() -> float:
    """Bytes that this process may still take: of the machine, or of its control group; inf when nobody says."""
    found = [float("inf")]
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        found += [1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    except (OSError, ValueError, IndexError):
        if hasattr(os, "sysconf") and "SC_AVPHYS_PAGES" in os.sysconf_names:
            found.append(float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")))
    try:
        group = Path("/sys/fs/cgroup")
        found.append(float((group / "memory.max").read_text()) - float((group / "memory.current").read_text()))
    except (OSError, ValueError):
        pass  # no limit ("max"), or no control groups
    return max(0.0, min(found))
