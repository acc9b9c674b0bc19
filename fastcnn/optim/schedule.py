"""optim.schedule: the schedules, as functions of the step. Papers: [Loshchilov2017], [Smith2018], [Smith2017].

Those that go from `start` to `end` do so in `steps` steps: `start` is the value at step 0, `end` that at `steps`, which stays.
By default they are factors between 0 and 1; start and end may as well be rates, momenta or batch sizes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from ..errors import ArgumentError
from .sequence import Schedule, as_schedule, finite, whole

__all__ = [
    "Schedule",
    "as_schedule",
    "constant",
    "cosine",
    "exponential",
    "linear",
    "multi_step",
    "one_cycle",
    "polynomial",
    "step",
    "triangular",
    "warm_restarts",
    "warmup",
]


def annealed(start: float, end: float, fraction: float) -> float:
    """Half a cosine wave from `start` (fraction 0) to `end` (fraction 1)."""
    return end + (start - end) / 2.0 * (1.0 + math.cos(math.pi * fraction))


def straight(start: float, end: float, fraction: float) -> float:
    """A straight line from `start` (fraction 0) to `end` (fraction 1)."""
    return end if fraction >= 1.0 else start + (end - start) * fraction


def _described(name: str, *given, **options) -> str:
    parts = [f"{value:g}" if isinstance(value, float) else str(value) for value in given]
    defaults = {"start": 1.0, "end": 0.0, "floor": 0.0, "steps": None, "power": 1.0}
    parts += [f"{key}={value}" for key, value in options.items() if value != defaults.get(key)]
    return f"{name}({', '.join(parts)})"


def constant(value: float = 1.0, steps: int | None = None) -> Schedule:
    """The same value at each step.

    Examples
    --------
    >>> from fastcnn.optim.schedule import constant
    >>> list(constant(0.5, steps=3))
    [0.5, 0.5, 0.5]
    """
    found = as_schedule(finite("constant", "value", value))
    return found if steps is None else Schedule(found.function, steps, _described("constant", value, steps=steps))


def linear_at(steps: int, start: float, end: float, floor: float, step: int) -> float:
    """The value of `linear` at a step."""
    return max(straight(start, end, min(step / steps, 1.0)), floor)


def linear(steps: int, start: float = 1.0, end: float = 0.0, floor: float = 0.0) -> Schedule:
    """max(start + (end - start) * step / steps, floor): a straight line that never goes below `floor`, nor below zero.

    Examples
    --------
    >>> from fastcnn.optim.schedule import linear
    >>> list(linear(4)), list(linear(4, floor=0.4))
    ([1.0, 0.75, 0.5, 0.25], [1.0, 0.75, 0.5, 0.4])
    """
    steps = whole("linear", "steps", steps)
    start, end = finite("linear", "start", start), finite("linear", "end", end)
    floor = finite("linear", "floor", floor, 0.0)
    text = _described("linear", steps, start=start, end=end, floor=floor)
    return Schedule(partial(linear_at, steps, start, end, floor), steps, text)


def warmup(steps: int, start: float = 0.0) -> Schedule:
    """A straight line from `start` to 1, before another schedule: warmup(5) >> cosine(95). [Goyal2017]

    Examples
    --------
    >>> from fastcnn.optim.schedule import warmup, step
    >>> list((warmup(2, start=0.5) >> step(1, gamma=0.1))[:4])
    [0.5, 0.75, 1.0, 0.1]
    """
    steps, start = whole("warmup", "steps", steps), finite("warmup", "start", start, 0.0, 1.0)
    text = f"warmup({steps}, start={start:g})" if start else f"warmup({steps})"
    return Schedule(partial(linear_at, steps, start, 1.0, 0.0), steps, text)


def _step(size: int, gamma: float, step: int) -> float:
    return gamma ** (step // size)


def step(size: int, gamma: float = 0.1, steps: int | None = None) -> Schedule:
    """gamma ** floor(step / size)."""
    size, gamma = whole("step", "size", size), finite("step", "gamma", gamma, 0.0)
    return Schedule(partial(_step, size, gamma), steps, _described("step", size, gamma=gamma, steps=steps))


def _multi_step(milestones: tuple[int, ...], gamma: float, step: int) -> float:
    return gamma ** sum(step >= m for m in milestones)


def multi_step(milestones: Sequence[int], gamma: float = 0.1, steps: int | None = None) -> Schedule:
    """gamma ** (number of milestones reached)."""
    reached = tuple(sorted(whole("multi_step", "a milestone", m, least=0) for m in milestones))
    gamma = finite("multi_step", "gamma", gamma, 0.0)
    text = _described("multi_step", list(reached), gamma=gamma, steps=steps)
    return Schedule(partial(_multi_step, reached, gamma), steps, text)


def _exponential(gamma: float, step: int) -> float:
    return gamma**step


def exponential(gamma: float, steps: int | None = None) -> Schedule:
    """gamma ** step."""
    gamma = finite("exponential", "gamma", gamma, 0.0)
    return Schedule(partial(_exponential, gamma), steps, _described("exponential", gamma, steps=steps))


def _polynomial(steps: int, power: float, start: float, end: float, step: int) -> float:
    return end + (start - end) * (1.0 - min(step / steps, 1.0)) ** power


def polynomial(steps: int, power: float = 1.0, start: float = 1.0, end: float = 0.0) -> Schedule:
    """end + (start - end) * (1 - step / steps) ** power."""
    steps, power = whole("polynomial", "steps", steps), finite("polynomial", "power", power, 0.0)
    start, end = finite("polynomial", "start", start), finite("polynomial", "end", end)
    text = _described("polynomial", steps, power=power, start=start, end=end)
    return Schedule(partial(_polynomial, steps, power, start, end), steps, text)


def _cosine(steps: int, start: float, end: float, step: int) -> float:
    return annealed(start, end, step / steps)


def cosine(steps: int, start: float = 1.0, end: float = 0.0) -> Schedule:
    """end + (start - end) / 2 * (1 + cos(pi * step / steps)): half a wave from start to end. [Loshchilov2017]

    Examples
    --------
    >>> from fastcnn.optim.schedule import cosine
    >>> [round(value, 4) for value in cosine(4)]
    [1.0, 0.8536, 0.5, 0.1464]
    """
    steps = whole("cosine", "steps", steps)
    start, end = finite("cosine", "start", start), finite("cosine", "end", end)
    return Schedule(partial(_cosine, steps, start, end), steps, _described("cosine", steps, start=start, end=end))


def restarts_at(first: int, growth: int, start: float, end: float, step: int) -> float:
    """The value of `warm_restarts` at a step."""
    length = first
    if growth == 1:
        step %= first
    while step >= length:
        step, length = step - length, length * growth
    return annealed(start, end, step / length)


def warm_restarts(first: int, growth: int = 1, start: float = 1.0, end: float = 0.0, steps: int | None = None) -> Schedule:
    """Half waves from start to end: the first of `first` steps, each `growth` times as long as the last one. [Loshchilov2017]"""
    first, growth = whole("warm_restarts", "first", first), whole("warm_restarts", "growth", growth)
    start, end = finite("warm_restarts", "start", start), finite("warm_restarts", "end", end)
    text = _described("warm_restarts", first, growth=growth, start=start, end=end, steps=steps)
    return Schedule(partial(restarts_at, first, growth, start, end), steps, text)


def phases(ends: Sequence[float], values: Sequence[float], line, step: int) -> float:
    """The value at `step` on the way values[0], values[1], ..., reached at ends[0], ends[1], ...; the last one stays."""
    place, before = min(float(step), ends[-1]), 0.0
    for number, end in enumerate(ends):
        if place <= end or number == len(ends) - 1:
            break
        before = end
    return line(values[number], values[number + 1], (place - before) / (end - before) if end > before else 1.0)


def cycle_ends(steps: int, rise: float, three: bool) -> list[float]:
    """Where the phases of a cycle end: at the peak, back at the start if there are three, at the last step."""
    ends = [rise * steps - 1.0, 2.0 * rise * steps - 2.0] if three else [rise * steps - 1.0]
    return [*ends, steps - 1.0]


def one_cycle(
    steps: int, rise: float = 0.3, start: float = 0.04, peak: float = 1.0, end: float = 4e-6, shape: str = "cos"
) -> Schedule:
    """Up from start to peak in the share `rise` of the steps, then down to end, on cosines or ("linear") on lines. [Smith2018]

    The peak is at step rise * steps - 1, the end at steps - 1.
    """
    steps, rise = whole("one_cycle", "steps", steps), finite("one_cycle", "rise", rise, 0.0, 1.0)
    values = [finite("one_cycle", key, value) for key, value in (("start", start), ("peak", peak), ("end", end))]
    ends = cycle_ends(steps, rise, False)
    text = _described("one_cycle", steps, rise=rise, start=values[0], peak=values[1], end=values[2])
    return Schedule(partial(phases, ends, values, line_of("one_cycle", "shape", shape)), steps, text)


def line_of(name: str, key: str, shape: str):
    """Return the function for "cos" or "linear"."""
    if shape not in ("cos", "linear"):
        raise ArgumentError(f"{name}: {key} must be 'cos' or 'linear', got {shape!r}")
    return annealed if shape == "cos" else straight


def _triangular(up: int, down: int, low: float, high: float, shrink: float, step: int) -> float:
    cycle, place = divmod(step, up + down)
    share = place / up if place <= up else (up + down - place) / down
    return low + (high - low) * share * shrink**cycle


def triangular(
    up: int, down: int | None = None, low: float = 0.0, high: float = 1.0, shrink: float = 1.0, steps: int | None = None
) -> Schedule:
    """From low to high in `up` steps and back in `down`, over and over; each peak `shrink` times as far from low. [Smith2017]"""
    up = whole("triangular", "up", up)
    down = up if down is None else whole("triangular", "down", down)
    low, high = finite("triangular", "low", low), finite("triangular", "high", high)
    shrink = finite("triangular", "shrink", shrink, 0.0)
    text = _described("triangular", up, down=down, low=low, high=high, shrink=shrink, steps=steps)
    return Schedule(partial(_triangular, up, down, low, high, shrink), steps, text)
