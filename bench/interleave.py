"""bench.interleave: times several functions in turn, A B C A B C ..., so that a slow minute of the machine hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

# One timed block should last this long: far above the clock's resolution and the cost of a Python call. [seconds]
BLOCK = 0.003
# The threads of the function before spin for about a millisecond before they sleep. [seconds]
SETTLE = 0.004


def calibrate(function: Callable[[], object], block: float = BLOCK) -> tuple[int, float]:
    """Return how many calls of `function` fill one block and how long that takes; the function is called twice."""
    function()  # first call: allocation, packing, thread pools
    start = time.perf_counter()
    function()
    once = max(time.perf_counter() - start, 1e-9)
    loops = max(1, round(block / once))
    return loops, loops * once


def settle(function: Callable[[], object]) -> None:
    """Let the threads of another library fall asleep, then call `function` once so that its own are awake."""
    time.sleep(SETTLE)
    function()


class Rounds:
    """Seconds per call of several functions, one block of each per round.

    Each block starts with a pause and one call outside the clock: the threads of the function before may still spin, and
    the caches hold its data.
    """

    def __init__(self, functions: dict[str, Callable[[], object]], block: float = BLOCK):
        self.functions = functions
        self.loops = {name: calibrate(function, block)[0] for name, function in functions.items()}
        self.seconds: dict[str, list[float]] = {name: [] for name in functions}

    def run(self) -> None:
        """Time one block of every function."""
        for name, function in self.functions.items():
            loops = self.loops[name]
            settle(function)
            start = time.perf_counter()
            for _ in range(loops):
                function()
            self.seconds[name].append((time.perf_counter() - start) / loops)

    def medians(self) -> dict[str, float]:
        """Return the median seconds per call of every function."""
        return {name: median(values) for name, values in self.seconds.items()}

    def ratios(self, base: str) -> dict[str, float]:
        """Return how many times longer than `base` every other function takes (above 1: `base` is faster)."""
        times = self.medians()
        return {name: times[name] / times[base] for name in times if name != base}


def interleave(functions: dict[str, Callable[[], object]], seconds: float = 1.0, least: int = 5) -> Rounds:
    """Run rounds for about `seconds`, `least` of them at least, and return the times."""
    rounds = Rounds(functions)
    end = time.perf_counter() + seconds
    while len(next(iter(rounds.seconds.values()))) < least or time.perf_counter() < end:
        rounds.run()
    return rounds
