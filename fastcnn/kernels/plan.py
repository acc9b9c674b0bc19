"""kernels.plan: which algorithm each direction of a convolution would run, how fast the others are, and how exact."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from statistics import median
from typing import NamedTuple

import numpy as np

from ..cpu import isa
from ..errors import ArgumentError
from ..reference import conv2d as _reference
from ..shapes import Conv2dCase, conv2d_case
from ..threads import get_num_threads
from . import select

DIRECTIONS = ("forward", "backward_data", "backward_weight")
SECONDS, ROUNDS = 0.1, 5  # spent on one candidate at most, unless one call takes longer; rounds of all candidates
SAMPLE = 2  # channels that are computed again by definition


class Candidate(NamedTuple):
    """One algorithm in one direction; `gflops` counts the direct algorithm's operations, `error` is relative L2 against float64.

    Both are None where they were not measured.
    """

    direction: str
    algorithm: str
    chosen: bool
    gflops: float | None
    error: float | None


class Plan(Mapping[str, str]):
    """What a convolution would run: a mapping from direction to the chosen algorithm; `str()` is a table of all candidates.

    Attributes
    ----------
    case : Conv2dCase
    candidates : tuple of Candidate
    isa : str
    threads : int
    """

    def __init__(self, case: Conv2dCase, dtype: str, candidates: tuple[Candidate, ...]):
        self.case, self.dtype, self.candidates = case, dtype, candidates
        self.isa, self.threads = isa(), get_num_threads()
        self._choice = {row.direction: row.algorithm for row in candidates if row.chosen}

    def __getitem__(self, direction: str) -> str:
        return self._choice[direction]

    def __iter__(self) -> Iterator[str]:
        return iter(self._choice)

    def __len__(self) -> int:
        return len(self._choice)

    def __repr__(self) -> str:
        return f"Plan({self._choice})"

    def __str__(self) -> str:
        c = self.case
        how = f"{self.isa}, {self.threads} threads, {c.macs / 1e6:.4g} M multiply-adds"
        title = f"conv2d x {c.x_shape} w {c.w_shape} {self.dtype}, {how}"
        lines = [title, f"  {'direction':<16}{'algorithm':<12}{'GFLOP/s':>9}{'error':>10}"]
        for row in self.candidates:
            rate = f"{row.gflops:.3g}" if row.gflops is not None else ""
            error = f"{row.error:.1e}" if row.error is not None else ""
            mark = "*" if row.chosen else " "
            lines.append(f"{mark} {row.direction:<16}{row.algorithm:<12}{rate:>9}{error:>10}")
        return "\n".join([*lines, "* runs"])


def plan_conv2d(
    x_shape, w_shape, *, stride=1, padding=0, dilation=1, groups=1, dtype="float32", algorithm="auto", measure=True
) -> Plan:
    """Return which algorithm each direction of a convolution would run, with the speed and the error of all that take it.

    Parameters
    ----------
    x_shape, w_shape : tuple of int
        (batch, ci, ih, iw) and (co, ci / groups, kh, kw).
    stride, padding, dilation, groups, algorithm
        As in `ops.conv2d`.
    dtype : {"float32", "float64"}
    measure : bool
        Time every candidate on random numbers (a tenth of a second for each, longer where one call takes longer), and compare a
        few channels of one image with the definition in float64. False: the choice only.

    Raises
    ------
    ShapeError, ArgumentError
        As `ops.conv2d`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.plan_conv2d((1, 3, 9, 9), (8, 3, 5, 5), measure=False)["forward"]
    'direct'
    """
    if np.dtype(dtype).name not in ("float32", "float64"):
        raise ArgumentError(f"plan_conv2d: dtype must be float32 or float64, got {dtype!r}")
    case = conv2d_case(x_shape, w_shape, stride, padding, dilation, groups, op="plan_conv2d")
    found: list[Candidate] = []
    x, w, dy = operands = _operands(case, dtype) if measure else _shapes_only(case, dtype)
    for direction in DIRECTIONS:
        op, args = f"conv2d_{direction}", arguments(direction, x, w, dy, case)
        chosen = select.choose(op, args, algorithm).name
        fast = [impl for impl in select.OPS[op] if impl.accepts(*args) and (impl.compiled or impl.name == chosen)]
        rates = _rates(fast, args, case) if measure and case.batch else {}
        errors = _errors(direction, fast, operands, case) if measure and case.batch else {}
        found += [
            Candidate(direction, impl.name, impl.name == chosen, rates.get(impl.name), errors.get(impl.name)) for impl in fast
        ]
    return Plan(case, np.dtype(dtype).name, tuple(found))


def arguments(direction: str, x, w, dy, case: Conv2dCase) -> tuple:
    """Return what the kernel of a direction takes."""
    return {"forward": (x, w, None, case), "backward_data": (dy, w, case), "backward_weight": (dy, x, case)}[direction]


def _operands(case: Conv2dCase, dtype) -> tuple[np.ndarray, ...]:
    """x, w and dy in channels-last memory, standard normal, w scaled by its fan-in."""
    rng = np.random.default_rng(0)
    made = []
    for shape in (case.x_shape, case.w_shape, case.y_shape):
        n, c, h, w = shape
        made.append(rng.standard_normal((n, h, w, c), dtype).transpose(0, 3, 1, 2))
    made[1] *= np.dtype(dtype).type((case.w_shape[1] * case.kh * case.kw) ** -0.5)
    return tuple(made)


def _shapes_only(case: Conv2dCase, dtype) -> tuple[np.ndarray, ...]:
    zero = np.zeros((), dtype)
    return tuple(np.broadcast_to(zero, shape) for shape in (case.x_shape, case.w_shape, case.y_shape))


def _rates(implementations: list[select.Impl], args: tuple, case: Conv2dCase) -> dict[str, float]:
    """GFLOP/s of each, from the medians of rounds in which all take turns."""
    seconds: dict[str, list[float]] = {impl.name: [] for impl in implementations}
    start = time.perf_counter()
    for impl in implementations:
        impl.run(*args)
    rounds = max(1, min(ROUNDS * 4, int(SECONDS * len(implementations) / max(time.perf_counter() - start, 1e-6))))
    for _ in range(rounds):
        for impl in implementations:
            start = time.perf_counter()
            impl.run(*args)
            seconds[impl.name].append(time.perf_counter() - start)
    return {name: 2e-9 * case.macs / median(times) for name, times in seconds.items()}


def _errors(direction: str, implementations: list[select.Impl], operands: tuple, case: Conv2dCase) -> dict[str, float]:
    """Relative L2 error of a few channels of one image against the definition in float64."""
    one = case._replace(batch=1)
    x, w, dy = (operands[0][:1], operands[1], operands[2][:1])
    inputs = outputs = slice(None)
    cig, cog = case.ci // case.groups, case.co // case.groups
    ins, outs = slice(0, cig), slice(0, cog)  # of the first group
    if direction != "forward":
        inputs = ins = slice(0, min(SAMPLE, cig))
    if direction != "backward_data":
        outputs = outs = slice(0, min(SAMPLE, cog))
    xs, ws, dys = (a.astype(np.float64) for a in (x[:, ins], w[outs, inputs], dy[:, outs]))
    part = one._replace(ci=xs.shape[1], co=dys.shape[1], groups=1)
    definition = getattr(_reference, f"conv2d_{direction}")
    want = definition(*arguments(direction, xs, ws[: part.co], dys, part))
    errors = {}
    for impl in implementations:
        got = impl.run(*arguments(direction, x, w, dy, one))
        taken = {"forward": got[:, outputs], "backward_data": got[:, inputs], "backward_weight": got[outs, ins]}[direction]
        errors[impl.name] = float(np.linalg.norm(taken - want)) / max(float(np.linalg.norm(want)), 1e-300)
    return errors
