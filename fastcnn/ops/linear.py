"""ops.linear: x @ weight.T + bias. Kernels: gemm."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..errors import ShapeError
from ..kernels import select as kernels
from .bounds import activation_bounds, activation_gradient
from .operands import as_rows, float_tensor, same_dtype, sum_to


def linear(x, weight, bias=None, *, ceiling=None) -> Tensor:
    """Return x @ weight.T + bias.

    Parameters
    ----------
    x : Tensor or array_like, (..., in_features)
        float32 or float64.
    weight : Tensor or array_like, (out_features, in_features)
    bias : Tensor or array_like, (out_features,), optional
    ceiling : float, optional
        inf: ReLU of the result, 6: ReLU6, while it is stored.

    Returns
    -------
    Tensor, (..., out_features)

    Raises
    ------
    ShapeError, DtypeError, ArgumentError
        If sizes or dtypes do not agree, or the ceiling is another.
    """
    x = float_tensor("linear", "x", x)
    weight = same_dtype("linear", x, "weight", weight)
    x_shape, w_shape = x.data.shape, weight.data.shape
    if len(w_shape) != 2 or not x_shape or x_shape[-1] != w_shape[1]:
        rule = "must have 2 axes (out_features, in_features)"
        if len(w_shape) == 2:
            rule = f"expects {w_shape[1]} input features in the last axis of x"
        raise ShapeError(f"linear: weight {rule} (x.shape={x_shape}, weight.shape={w_shape})")
    if bias is not None:
        bias = same_dtype("linear", x, "bias", bias)
        if bias.data.shape != w_shape[:1]:
            raise ShapeError(
                f"linear: bias must have shape {w_shape[:1]}, got bias.shape={bias.data.shape} "
                f"(x.shape={x_shape}, weight.shape={w_shape})"
            )
    bounds = None if ceiling is None else activation_bounds("linear", ceiling)
    y, saved = _forward(x.data, weight.data, None if bias is None else bias.data, bounds)
    return record("linear", (x, weight, bias), y, _backward, saved)


def _forward(x, w, b, bounds=None):
    rows = as_rows(x)
    y = kernels.gemm(rows, w.T, b) if bounds is None else kernels.gemm(rows, w.T, b, bounds=bounds)
    result = y if x.ndim == 2 else y.reshape(*x.shape[:-1], w.shape[0])
    return result, (x, w, None if bounds is None else y, bounds)


def _backward(dy, saved, case, needs):
    x, w, y, bounds = saved
    dy = as_rows(dy)
    if y is not None:
        dy = activation_gradient(dy, y, bounds)
    return (
        kernels.gemm(dy, w).reshape(x.shape) if needs[0] else None,
        kernels.gemm(dy.T, as_rows(x)) if needs[1] else None,
        sum_to(dy, dy.shape[1:]) if needs[2] else None,
    )
