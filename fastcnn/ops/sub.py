"""ops.sub: x - y with broadcasting."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..errors import DtypeError
from ..kernels import elementwise
from ..threads import get_num_threads
from .operands import operands, sum_to, unbroadcastable


def sub(x, y) -> Tensor:
    """Return x - y, elementwise with broadcasting; operands as in `add`, but not two booleans."""
    x, y, a, b = operands("sub", x, y)
    try:
        z, saved = _forward(a, b)
    except ValueError:
        raise unbroadcastable("sub", a, b) from None
    except TypeError:
        raise DtypeError(f"sub: booleans cannot be subtracted (x.shape={a.shape}, y.shape={b.shape})") from None
    return record("sub", (x, y), z, _backward, saved)


def _forward(a, b):
    return elementwise.sub(a, b, threads=get_num_threads()), (a.shape, b.shape)


def _backward(dz, saved, case, needs):
    dy = elementwise.mul(sum_to(dz, saved[1]), -1.0, threads=get_num_threads()) if needs[1] else None
    return (sum_to(dz, saved[0]) if needs[0] else None, dy)
