"""kernels.select: which implementation of the table runs, and the functions that others call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError
from ..policy import asked, measured, state, timeable, warn_slow
from .call import public
from .memory import empty
from .table import OPS, Impl, _floats, _same_floats
from .winograd import gain as winograd_gain

CONVOLUTIONS = ("conv2d_forward", "conv2d_backward_data", "conv2d_backward_weight")
MOST_KNOWN = 8192
FLOAT64 = np.dtype(np.float64)
SURE = 1.6  # estimates that differ by more are believed without a measurement
_known: dict[tuple, tuple] = {}  # (op, id of the case, dtypes) -> (the case, implementation)


def choose(op: str, args: tuple, algorithm: str = "auto") -> Impl:
    """Return the implementation of `op` that runs for `args`.

    A named `algorithm` must accept them (ArgumentError otherwise). "auto" takes the algorithm of the `use_algorithm` block if it
    accepts them, else the first in the list that accepts them and pays, or what was measured (`set_plan_mode`).
    """
    if algorithm == "auto":
        wanted = asked.get() if state.blocks else "auto"
        return _automatic(op, args) if wanted == "auto" else _named(op, args, wanted) or _automatic(op, args)
    found = _named(op, args, algorithm)
    if found is None:
        names = ", ".join(impl.name for impl in OPS[op])
        raise ArgumentError(f"{op}: algorithm must be 'auto' or one of {names} that takes this case, got {algorithm!r}")
    return found


def _named(op: str, args: tuple, name: str) -> Impl | None:
    return next((impl for impl in OPS[op] if impl.name == name and impl.accepts(*args)), None)


def _automatic(op: str, args: tuple) -> Impl:
    if op in CONVOLUTIONS:
        return _convolution(op, args)
    found = next(impl for impl in OPS[op] if impl.accepts(*args) and impl.pays(*args))
    if not found.compiled:
        warn_slow(op, args)
    return found


def _convolution(op: str, args: tuple) -> Impl:
    """Walk the list once for each case object: ops.conv2d keeps one for each geometry."""
    case = args[-1]
    key = op, id(case), args[0].dtype.char, args[1].dtype.char
    known = _known.get(key)
    if known is not None and known[0] is case:
        found = known[1]
    else:
        found = next(impl for impl in OPS[op] if impl.accepts(*args) and impl.pays(*args))
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        _known[key] = case, found
        if not found.compiled:
            warn_slow(op, args)
    return _measured(op, args, found) if state.measuring and found.compiled else found


def _measured(op: str, args: tuple, first: Impl) -> Impl:
    """Return the faster of the best two by estimate; `first` where the estimate is sure or the work too small or too large."""
    if not timeable(args[-1].macs):
        return first
    second = runner_up(op, args, first)
    return first if second is None else measured(op, args, first, second)


def runner_up(op: str, args: tuple, first: Impl) -> Impl | None:
    """Return the compiled implementation that is worth timing against `first`; None where `first` is surely faster."""
    gain = winograd_gain(args[-1], op)
    # Everything but depthwise multiplies one channel by one there: slower by far.
    if first.name == "depthwise" or (first.name == "winograd" and gain > SURE):
        return None
    for impl in OPS[op]:
        near = gain > 1 / SURE if impl.name == "winograd" else impl.pays(*args)
        if impl.compiled and impl is not first and impl.accepts(*args) and near:
            return impl
    return None


def conv2d_forward_moments(x, w, b, case, algorithm: str = "auto") -> tuple:
    """Return y of conv2d_forward, and mean and centred sum of squares of each of its channels where the implementation has them.

    float64 (2, co), for `batch_norm_forward`, which then reads y once less; None otherwise.
    """
    args = x, w, b, case
    found = choose("conv2d_forward", args, algorithm)
    if not found.moments:
        return found.run(*args), None
    moments = empty((2, case.co), FLOAT64)
    return found.run(*args, moments=moments), moments


def _public(op: str) -> Callable:
    first = OPS[op][0]
    plain = len(OPS[op]) == 2 and first.compiled and first.accepts in (_floats, _same_floats)
    call = public(op, choose, first.function if plain else None, first.accepts is _same_floats)
    call.__name__ = call.__qualname__ = op
    call.__doc__ = f"Run the best implementation of `{op}`; arguments as in fastcnn.reference, plus `algorithm`."
    return call


globals().update({op: _public(op) for op in OPS})
__all__ = ["OPS", "Impl", "choose", *OPS]

if TYPE_CHECKING:  # the functions above are made from the table

    def __getattr__(name: str) -> Any: ...
