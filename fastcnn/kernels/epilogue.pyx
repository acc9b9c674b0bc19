"""kernels.epilogue: a residual sum and bounds that a loop nest applies to its result while it is in registers.

y = min(max(y + residual, low), high): ReLU is (0, inf), ReLU6 (0, 6). NaN stays NaN.
"""

import numpy as np

from libc.math cimport INFINITY

cimport numpy as cnp

from fastcnn.errors import ArgumentError, DtypeError, ShapeError

from fastcnn.kernels.entry cimport unrecorded

cnp.import_array()


cdef object ask_epilogue(fc_epilogue *e, str op, object bounds, object residual, cnp.ndarray y):
    """Check what was asked for y, which has its memory already, and note it; returns the residual in the memory order of y."""
    e.adds = e.bounds = 0
    e.away = 0
    e.low, e.high = -INFINITY, INFINITY
    if bounds is not None:
        try:
            e.low, e.high = bounds
        except (TypeError, ValueError):
            raise ArgumentError(f"{op}: bounds must be None or (low, high), got {bounds!r}") from None
        if not e.low <= e.high:
            raise ArgumentError(f"{op}: bounds must be (low, high) with low <= high, got {bounds!r}")
        e.bounds = 1
    if residual is None:
        return None
    if not isinstance(residual, np.ndarray):
        raise ArgumentError(f"{op}: residual must be an array, got {type(residual)}")
    if (<object>y).shape != residual.shape:
        raise ShapeError(f"{op}: residual must have the shape of the result, {(<object>y).shape}, got {residual.shape}")
    if (<object>y).dtype != residual.dtype:
        raise DtypeError(f"{op}: residual must be {(<object>y).dtype} as the result, got {residual.dtype}")
    if residual.strides != (<object>y).strides and y.size:
        unrecorded("a residual in another memory order than the result")
        same = np.empty_like(y)
        same[...] = residual
        residual = same
    e.adds, e.away = 1, cnp.PyArray_BYTES(residual) - cnp.PyArray_BYTES(y)
    return residual


cdef const fc_epilogue *asked(const fc_epilogue *e) noexcept nogil:
    """`e` for the micro-kernels, NULL where it asks for nothing."""
    return e if e.adds or e.bounds else NULL
