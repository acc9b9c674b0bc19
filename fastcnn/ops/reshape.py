"""ops.reshape: the same elements, in C order, under another shape."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..errors import ShapeError
from .operands import as_tensor, reshaped, whole


def reshape(x, shape) -> Tensor:
    """Return x with `shape`; one size may be -1 and follows from the others. Shares memory where possible.

    The order of elements is that of the logical shape, whatever the memory: channels-last images are copied unless they
    are 1 x 1 pixels.
    """
    x = as_tensor("reshape", "x", x)
    case = tuple(whole("reshape", "shape", size) for size in (shape if isinstance(shape, (tuple, list)) else (shape,)))
    try:
        y, saved = _forward(x.data, case)
    except (ValueError, OverflowError):
        raise ShapeError(f"reshape: {x.data.size} elements do not fit into shape {case} (x.shape={x.data.shape})") from None
    return record("reshape", (x,), y, _backward, saved, case)


def _forward(x, case):
    return reshaped(x, case), x.shape


def _backward(dy, saved, case, needs):
    return (reshaped(dy, saved),)
