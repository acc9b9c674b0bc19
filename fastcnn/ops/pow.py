"""ops.pow: x ** y with broadcasting."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..errors import ArgumentError
from ..kernels import elementwise, entry
from ..threads import get_num_threads
from .operands import operands, sum_to, unbroadcastable


def pow(x, y) -> Tensor:
    """Return x ** y, elementwise with broadcasting; operands as in `add`.

    dx = dz * y * x ** (y - 1), zero where y is 0; dy = dz * z * log(x), zero where z is 0.
    """
    x, y, a, b = operands("pow", x, y)
    if a.dtype.kind != "f" and (b < 0).any():
        raise ArgumentError(f"pow: integers cannot be raised to a negative power (x.shape={a.shape}, y.shape={b.shape})")
    try:
        z, saved = _forward(a, b)
    except ValueError:
        raise unbroadcastable("pow", a, b) from None
    return record("pow", (x, y), z, _backward, saved)


def _forward(a, b):
    if a.dtype.kind != "f":
        entry.refuse("pow of integers")
        return a**b, (a, b, None)
    z = elementwise.pow(a, b, threads=get_num_threads())
    return z, (a, b, z)


def _backward(dz, saved, case, needs):
    a, b, z = saved
    da = db = None
    threads = get_num_threads()
    if needs[0]:
        da = sum_to(elementwise.mul(dz, elementwise.pow_slope(a, b, threads=threads), threads=threads), a.shape)
    if needs[1]:
        db = sum_to(elementwise.mul(dz, elementwise.pow_log(z, a, threads=threads), threads=threads), b.shape)
    return da, db
