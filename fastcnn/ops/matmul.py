"""ops.matmul: the matrix product. Kernels: gemm."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..errors import ShapeError
from ..kernels import select as kernels
from .operands import as_rows, float_tensor, same_dtype


def matmul(x, y) -> Tensor:
    """Return x @ y for x (..., k) or (k,) and y (k, n) or (k,).

    Both are float32 or both float64. A product of two stacks of matrices is not offered: y has at most 2 axes.
    """
    x = float_tensor("matmul", "x", x)
    y = same_dtype("matmul", x, "y", y)
    fits = x.data.ndim >= 1 and 1 <= y.data.ndim <= 2
    if not fits or x.data.shape[-1] != y.data.shape[0]:
        rule = "the last axis of x must be as long as the first axis of y" if fits else "x needs at least 1 axis, y 1 or 2"
        raise ShapeError(f"matmul: {rule} (x.shape={x.data.shape}, y.shape={y.data.shape})")
    z, saved = _forward(x.data, y.data)
    return record("matmul", (x, y), z, _backward, saved)


def _forward(a, b):
    z = kernels.gemm(as_rows(a), b if b.ndim == 2 else b[:, None])
    return z.reshape(a.shape[:-1] + b.shape[1:]), (a, b)


def _backward(dz, saved, case, needs):
    a, b = saved
    a2, b2 = as_rows(a), b if b.ndim == 2 else b[:, None]
    dz2 = dz.reshape(a2.shape[0], b2.shape[1])
    return (
        kernels.gemm(dz2, b2.T).reshape(a.shape) if needs[0] else None,
        kernels.gemm(a2.T, dz2).reshape(b.shape) if needs[1] else None,
    )
