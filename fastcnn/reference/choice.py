"""reference.choice: the larger and the smaller of two values and their gradient, one of two values by a condition."""

from __future__ import annotations

import numpy as np
from numpy import ndarray


def maximum(a, b) -> ndarray:
    """Return the larger of a and b, NaN where one of them is."""
    return np.where((a > b) | np.isnan(a), a, b)


def minimum(a, b) -> ndarray:
    """Return the smaller of a and b, NaN where one of them is."""
    return np.where((a < b) | np.isnan(a), a, b)


def share(dz, a, b) -> ndarray:
    """Return dz where a > b or one of them is NaN, dz / 2 where a = b, else 0: the gradient of maximum(a, b) along a."""
    return np.where(a < b, dz.dtype.type(0), np.where(a == b, dz / dz.dtype.type(2), dz))


def where(condition, a, b) -> ndarray:
    """Return a where the condition holds, else b."""
    a, b, condition = np.broadcast_arrays(a, b, condition)
    z = b.copy()
    z[condition] = a[condition]
    return z
