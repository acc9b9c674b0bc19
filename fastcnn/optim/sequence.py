"""optim.sequence: a number for each step, a pure function; joined by `>>`, cut by slices, scaled."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count

import numpy as np

from ..errors import ArgumentError


class Schedule:
    """A number for each step 0, 1, ...: `schedule(step)`, a pure function.

    `a >> b` is b after the end of a; `schedule * 0.1` scales, `a * b` and `a + b` combine; `schedule[5:20]` are its steps 5 to
    19, `schedule[7]` is one value, and iteration gives all. A schedule has no state: whoever knows the step resumes it exactly.

    Parameters
    ----------
    function : callable
        function(step) -> float.
    steps : int or None
        The length; from its end on the schedule keeps `function(steps)`, which is also where the next one may go on. None: no
        end.
    text : str
        What `repr` shows.

    Raises
    ------
    ArgumentError
        For a step that is not an int of at least 0, and for `>>` behind a schedule without an end.

    Examples
    --------
    >>> from fastcnn.optim.schedule import cosine, warmup
    >>> schedule = warmup(2) >> cosine(4)
    >>> schedule
    warmup(2) >> cosine(4)
    >>> [round(value, 3) for value in schedule]
    [0.0, 0.5, 1.0, 0.854, 0.5, 0.146]
    >>> schedule(100)
    0.0
    >>> list(schedule[1:3] * 10)
    [5.0, 10.0]
    """

    def __init__(self, function: Callable[[int], float], steps: int | None = None, text: str = "schedule"):
        if not callable(function):
            raise ArgumentError(f"Schedule: function must be callable, got {function!r}")
        self.function, self.text = function, text
        self.steps = None if steps is None else whole("Schedule", "steps", steps, least=0)

    def __call__(self, step: int) -> float:
        step = whole("Schedule", "step", step, least=0)
        return float(self.function(step if self.steps is None else min(step, self.steps)))

    def __rshift__(self, following: Schedule) -> Schedule:
        following = as_schedule(following)
        if self.steps is None:
            raise ArgumentError(f"Schedule: nothing can follow {self}, which has no end; cut it: schedule[:100] >> ...")
        steps = None if following.steps is None else self.steps + following.steps
        return Schedule(partial(_joined, self, following), steps, f"{self} >> {following}")

    def __rrshift__(self, before) -> Schedule:
        return as_schedule(before) >> self

    def __mul__(self, other) -> Schedule:
        return self._with(other, _product, "*")

    def __rmul__(self, other) -> Schedule:
        return self._with(other, _product, "*")

    def __add__(self, other) -> Schedule:
        return self._with(other, _sum, "+")

    def __radd__(self, other) -> Schedule:
        return self._with(other, _sum, "+")

    def _with(self, other, function: Callable, sign: str) -> Schedule:
        """The sum or product, as long as the longer one."""
        other = as_schedule(other)
        given = [s.steps for s in (self, other) if not s.is_constant]
        lengths = [steps for steps in given if steps is not None]
        steps = max(lengths) if lengths and len(lengths) == len(given) else None
        return Schedule(partial(function, self, other), steps, f"{_bracketed(self)} {sign} {_bracketed(other)}")

    @property
    def is_constant(self) -> bool:
        """Whether this is `constant(value)` without an end."""
        return isinstance(self.function, _Constant) and self.steps is None

    def __getitem__(self, key):
        if not isinstance(key, slice):
            step = whole("Schedule", "step", key, least=-(self.steps or 0))
            if self.steps is not None and step >= self.steps:
                raise IndexError(f"Schedule: step {step} of {self.steps}")
            return self(step if step >= 0 else step + (self.steps or 0))
        if key.step not in (None, 1):
            raise ArgumentError(f"Schedule: a slice has a step of 1, got {key.step!r}")
        if self.steps is not None:
            first, stop, _ = key.indices(self.steps)
            length: int | None = max(0, stop - first)
        else:
            first = whole("Schedule", "start of a slice", key.start or 0, least=0)
            length = None if key.stop is None else max(0, whole("Schedule", "end of a slice", key.stop, least=0) - first)
        ends = "".join(("" if key.start is None else str(key.start), ":", "" if key.stop is None else str(key.stop)))
        return Schedule(partial(_later, self, first), length, f"{_bracketed(self)}[{ends}]")

    def __len__(self) -> int:
        if self.steps is None:
            raise TypeError(f"Schedule: {self} has no end")
        return self.steps

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[float]:
        return map(self, count() if self.steps is None else range(self.steps))

    def __repr__(self) -> str:
        return self.text


class _Constant:
    def __init__(self, value: float):
        self.value = value

    def __call__(self, step: int) -> float:
        return self.value


def _joined(first: Schedule, second: Schedule, step: int) -> float:
    return first(step) if step < len(first) else second(step - len(first))


def _later(schedule: Schedule, first: int, step: int) -> float:
    return schedule(first + step)


def _product(a: Schedule, b: Schedule, step: int) -> float:
    return a(step) * b(step)


def _sum(a: Schedule, b: Schedule, step: int) -> float:
    return a(step) + b(step)


def _bracketed(schedule: Schedule) -> str:
    return f"({schedule})" if " " in schedule.text else schedule.text


def as_schedule(given) -> Schedule:
    """Return a Schedule for a Schedule, a number, or a function of the step."""
    if isinstance(given, Schedule):
        return given
    if isinstance(given, (int, float, np.number)) and not isinstance(given, bool):
        return Schedule(_Constant(finite("Schedule", "value", given)), None, f"{given:g}")
    if not callable(given):
        raise ArgumentError(f"Schedule: a schedule, a number or a function of the step is needed, got {given!r}")
    return Schedule(given, None, getattr(given, "__name__", "schedule"))


def whole(name: str, key: str, value, least: int = 1) -> int:
    """Return `value` if it is an int of at least `least`, or raise ArgumentError."""
    if not hasattr(value, "__index__") or isinstance(value, bool) or value < least:
        raise ArgumentError(f"{name}: {key} must be an int of at least {least}, got {value!r}")
    return int(value)


def finite(name: str, key: str, value, least: float = -math.inf, most: float = math.inf) -> float:
    """Return `value` if it is a finite number from `least` to `most`, or raise ArgumentError."""
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not least <= value <= most:
        span = f" between {least:g} and {most:g}" if most < math.inf else f" of at least {least:g}" if least > -math.inf else ""
        raise ArgumentError(f"{name}: {key} must be a finite number{span}, got {value!r}")
    return float(value)
