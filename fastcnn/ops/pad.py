"""ops.pad: a border around a tensor: constant, reflected, repeated or from the other side."""

from __future__ import annotations

import numpy as np

from ..autograd import FLOATS, Tensor, record
from ..errors import ArgumentError, ShapeError
from ..kernels import elementwise, strided
from ..shapes import MAX_SIZE
from ..threads import get_num_threads
from .operands import as_tensor, memory_order, number, zeros


def pad(x, pad, mode="constant", value=0.0) -> Tensor:
    """Return x with a border.

    Parameters
    ----------
    x : Tensor or array_like
    pad : tuple of int
        (left, right) of the last axis, then of the one before it, and so on: (left, right, top, bottom) for images. Below 0:
        as many elements are cut off.
    mode : {"constant", "reflect", "replicate", "circular"}
        What the border holds: `value`; x mirrored at its first and last element, which are not repeated; the first and last
        element; x from its other end. Only "constant" can also cut off.
    value : float
        Of "constant".

    Raises
    ------
    ArgumentError, ShapeError
        If more is cut off than there is, or a "reflect" or "circular" border is longer than what it is made of.
    """
    x = as_tensor("pad", "x", x)
    wanted, shape, ndim = pad, x.data.shape, x.data.ndim
    if not isinstance(wanted, (tuple, list)) or len(wanted) % 2 or len(wanted) > 2 * ndim:
        raise ArgumentError(f"pad: pad must be two ints for each of at most {ndim} axes, got {wanted!r} (x.shape={shape})")
    if any(not hasattr(p, "__index__") or not -MAX_SIZE <= p.__index__() <= MAX_SIZE for p in wanted):
        raise ArgumentError(f"pad: pad must be ints, got {wanted!r}")
    if mode not in ("constant", "reflect", "replicate", "circular"):
        raise ArgumentError(f"pad: mode must be 'constant', 'reflect', 'replicate' or 'circular', got {mode!r}")
    widths = [(0, 0)] * (ndim - len(wanted) // 2)
    widths += [(int(wanted[i]), int(wanted[i + 1])) for i in range(len(wanted) - 2, -1, -2)]
    for (low, high), size in zip(widths, shape, strict=True):
        most = {"constant": MAX_SIZE, "reflect": size - 1, "replicate": MAX_SIZE if size else 0, "circular": size}[mode]
        least = -size if mode == "constant" else 0
        if min(low, high, low + high) < least or max(low, high) > max(most, 0):
            raise ShapeError(f"pad: a {mode!r} border of {(low, high)} does not fit an axis of {size} (x.shape={shape})")
    case = tuple(widths), number("pad", "value", value), mode
    y, saved = _forward(x.data, case)
    return record("pad", (x,), y, _backward, saved, case)


def _forward(x, case):
    widths, value, mode = case
    kept = tuple(slice(max(-low, 0), size - max(-high, 0)) for (low, high), size in zip(widths, x.shape, strict=True))
    core = tuple(slice(max(low, 0), max(low, 0) + k.stop - k.start) for (low, _), k in zip(widths, kept, strict=True))
    order, shape = memory_order(x), x.shape
    threads = get_num_threads()
    y = zeros([low + size + high for (low, high), size in zip(widths, shape, strict=True)], x.dtype, order)
    if value and mode == "constant":
        strided.copy_to(y, elementwise.full((), value, x.dtype) if x.dtype in FLOATS else np.array(value, x.dtype))
    strided.copy_to(y[core], x[kept], threads=threads)
    strips = []  # (axis, position in the border, position that it copies), axis by axis
    if mode != "constant":
        for axis, ((low, high), size) in enumerate(zip(widths, shape, strict=True)):
            low_places, high_places = range(-low, 0), range(size, size + high)
            source = {"reflect": lambda i, n: -i if i < 0 else 2 * n - 2 - i, "replicate": lambda i, n: 0 if i < 0 else n - 1}
            of = source.get(mode, lambda i, n: i % n)
            strips += [(axis, i + low, of(i, size) + low) for i in (*low_places, *high_places)]
        for axis, to, origin in strips:
            at = (slice(None),) * axis
            strided.copy_to(y[(*at, to, ...)], y[(*at, origin, ...)], threads=threads)
    return y, (core, kept, shape, order, strips)


def _backward(dy, saved, case, needs):
    core, kept, shape, order, strips = saved
    threads = get_num_threads()
    if strips:
        dy = strided.copy(dy, threads=threads)
        for axis, to, origin in reversed(strips):
            at = (slice(None),) * axis
            elementwise.add_to(dy[(*at, origin, ...)], dy[(*at, to, ...)], threads=threads)
    if all(k == slice(0, size) for k, size in zip(kept, shape, strict=True)):
        return (dy[core],)
    dx = zeros(shape, dy.dtype, order)
    strided.copy_to(dx[kept], dy[core], threads=threads)
    return (dx,)
