"""ops.neg: -x."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from ..errors import DtypeError
from ..kernels import elementwise
from ..threads import get_num_threads
from .operands import as_tensor


def neg(x) -> Tensor:
    """Return -x; DtypeError for booleans."""
    x = as_tensor("neg", "x", x)
    if x.data.dtype == np.bool_:
        raise DtypeError(f"neg: x must be a number, got bool (x.shape={x.data.shape})")
    y, saved = _forward(x.data)
    return record("neg", (x,), y, _backward, saved)


def _forward(x):
    return elementwise.mul(x, -1, threads=get_num_threads()) if x.dtype.kind == "f" else -x, None


def _backward(dy, saved, case, needs):
    return (elementwise.mul(dy, -1, threads=get_num_threads()),)
