"""ops.neg: -x."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from ..errors import DtypeError
from .operands import as_tensor


def neg(x) -> Tensor:
    """Return -x; DtypeError for booleans."""
    x = as_tensor("neg", "x", x)
    if x.data.dtype == np.bool_:
        raise DtypeError(f"neg: x must be a number, got bool (x.shape={x.data.shape})")
    y, saved = _forward(x.data)
    return record("neg", (x,), y, _backward, saved)


def _forward(x):
    return -x, None


def _backward(dy, saved, case, needs):
    return (-dy,)
