"""reference.precision: the accumulation type of the reference, and the memory order of its results."""

from __future__ import annotations

import numpy as np


def widen(*arrays):
    """Return the arrays in the type that the reference computes in: int64 for integers, float64 for floats; None stays None."""
    wide = [a if a is None else np.asarray(a).astype(np.int64 if a.dtype.kind in "iub" else np.float64) for a in arrays]
    return wide[0] if len(wide) == 1 else wide


def result_dtype(a) -> np.dtype:
    """The dtype of a result computed from `a`: int64 for integers, else the dtype of `a`."""
    return np.dtype(np.int64) if a.dtype.kind in "iub" else a.dtype


def mean_dtype(a) -> np.dtype:
    """The dtype of a mean of `a`: float64 for integers, else the dtype of `a`."""
    return a.dtype if a.dtype.kind == "f" else np.dtype(np.float64)


def narrow(a, dtype):
    """Round `a` to `dtype`, once; values above the range become infinite, as in arithmetic of that dtype."""
    with np.errstate(over="ignore"):
        return a.astype(dtype)


def as_nchw(nhwc, dtype):
    """(batch, height, width, channels) -> the same values as a logical NCHW view of contiguous NHWC memory."""
    return np.ascontiguousarray(narrow(nhwc, dtype)).transpose(0, 3, 1, 2)


def keep_layout(a, dtype):
    """A result of any rank: 4-D (logical NCHW) is put into channels-last memory, the others into C order."""
    if a.ndim == 4:
        return as_nchw(a.transpose(0, 2, 3, 1), dtype)
    return np.asarray(narrow(a, dtype), order="C")  # ascontiguousarray would give a scalar an axis
