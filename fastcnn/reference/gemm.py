"""reference.gemm: the matrix product with an optional bias per column."""

from __future__ import annotations

from .precision import narrow, result_dtype, widen


def gemm(a, b, bias=None):
    """Return a @ b (+ bias[None, :]) for `a` (m, k) and `b` (k, n) of any strides; k = 0 gives zeros (+ bias)."""
    dtype = result_dtype(a)
    a, b, bias = widen(a, b, bias)
    y = a @ b
    return narrow(y if bias is None else y + bias, dtype)
