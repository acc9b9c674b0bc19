"""ops.flatten: neighbouring axes become one."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..errors import ArgumentError
from .operands import as_tensor, axis, reshaped


def flatten(x, start_dim=0, end_dim=-1) -> Tensor:
    """Return x with the axes start_dim..end_dim (both included) made one, in the order of the logical shape."""
    x = as_tensor("flatten", "x", x)
    shape = x.data.shape
    first, last = axis("flatten", "start_dim", start_dim, len(shape)), axis("flatten", "end_dim", end_dim, len(shape))
    if first > last:
        raise ArgumentError(f"flatten: start_dim={start_dim} lies behind end_dim={end_dim} (x.shape={shape})")
    y, saved = _forward(x.data, (first, last))
    return record("flatten", (x,), y, _backward, saved, (first, last))


def _forward(x, case):
    first, last = case
    length = 1
    for size in x.shape[first : last + 1]:
        length *= size
    return reshaped(x, (*x.shape[:first], length, *x.shape[last + 1 :])), x.shape


def _backward(dy, saved, case, needs):
    return (reshaped(dy, saved),)
