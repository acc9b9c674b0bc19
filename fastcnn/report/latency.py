"""report.latency: the time of one model call, as percentiles; several models are timed in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from time import perf_counter
from typing import NamedTuple

import numpy as np

from ..autograd import Tensor, no_grad
from ..errors import ArgumentError
from ..graph import evaluation
from ..nn import Module

WARM_UP = 3  # calls that fill caches and choose algorithms
MIN_CALLS = 5


class Latency(NamedTuple):
    """Seconds per call: median, 95th percentile, and the number of calls behind them."""

    p50: float
    p95: float
    calls: int


def time_in_turn(functions: Sequence[Callable[[], object]], *, seconds: float = 1.0, calls: int = 1000) -> list[Latency]:
    """Time each of `functions` up to `calls` times, one after the other in each round, and stop after `seconds` in all.

    Taking turns lets a disturbance of the machine hit all of them alike. At least 5 rounds are run.
    """
    if seconds < 0 or calls < MIN_CALLS:
        raise ArgumentError(f"latency: seconds must be at least 0 and calls at least {MIN_CALLS}, got {seconds!r}, {calls!r}")
    for function in functions:
        for _ in range(WARM_UP):
            function()
    rounds: list[list[float]] = []
    begin = perf_counter()
    while len(rounds) < calls and (len(rounds) < MIN_CALLS or perf_counter() - begin < seconds):
        times = []
        for function in functions:
            start = perf_counter()
            function()
            times.append(perf_counter() - start)
        rounds.append(times)
    p50, p95 = np.percentile(rounds, [50, 95], axis=0)
    return [Latency(float(a), float(b), len(rounds)) for a, b in zip(p50, p95, strict=True)]


def measure_latencies(models: Mapping[str, Module], example, *, seconds: float = 1.0, calls: int = 1000) -> dict[str, Latency]:
    """Measure inference of several models on the batch `example` (Tensor or array), in turn, in evaluation mode.

    Notes
    -----
    Wall time on this machine at this moment: compare only figures taken in one call of this function.
    """
    x = example if isinstance(example, Tensor) else Tensor(np.asarray(example))
    with no_grad(), ExitStack() as modes:
        for model in models.values():
            modes.enter_context(evaluation(model))
        times = time_in_turn([partial(model, x) for model in models.values()], seconds=seconds, calls=calls)
    return dict(zip(models, times, strict=True))


def measure_latency(model, example, *, seconds: float = 1.0, calls: int = 1000) -> Latency:
    """Measure inference of one model, see `measure_latencies`."""
    return measure_latencies({"model": model}, example, seconds=seconds, calls=calls)["model"]
