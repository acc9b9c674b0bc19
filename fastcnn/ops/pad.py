"""ops.pad: a constant border."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..errors import ArgumentError
from ..shapes import MAX_SIZE
from .operands import as_tensor, memory_order, number, zeros


def pad(x, pad, value=0.0) -> Tensor:
    """Return x with a border of `value`.

    Parameters
    ----------
    x : Tensor or array_like
    pad : tuple of int
        (left, right) of the last axis, then of the one before it, and so on: (left, right, top, bottom) for images.
    value : float
    """
    x = as_tensor("pad", "x", x)
    wanted, ndim = pad, x.data.ndim
    if not isinstance(wanted, (tuple, list)) or len(wanted) % 2 or len(wanted) > 2 * ndim:
        raise ArgumentError(f"pad: pad must be two ints for each of at most {ndim} axes, got {wanted!r} (x.shape={x.data.shape})")
    if any(not hasattr(p, "__index__") or not 0 <= p.__index__() <= MAX_SIZE for p in wanted):
        raise ArgumentError(f"pad: pad must be ints of at least 0, got {wanted!r}")
    widths = [(0, 0)] * (ndim - len(wanted) // 2)
    widths += [(int(wanted[i]), int(wanted[i + 1])) for i in range(len(wanted) - 2, -1, -2)]
    case = tuple(widths), number("pad", "value", value)
    y, saved = _forward(x.data, case)
    return record("pad", (x,), y, _backward, saved, case)


def _forward(x, case):
    widths, value = case
    inside = tuple(slice(low, low + size) for (low, _), size in zip(widths, x.shape, strict=True))
    y = zeros([low + size + high for (low, high), size in zip(widths, x.shape, strict=True)], x.dtype, memory_order(x))
    if value:
        y[...] = value
    y[inside] = x
    return y, inside


def _backward(dy, saved, case, needs):
    return (dy[saved],)
