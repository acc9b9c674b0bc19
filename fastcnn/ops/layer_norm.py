"""ops.layer_norm: normalisation over the last axes. Papers: [Ba2016]."""

from __future__ import annotations

import math

import numpy as np

from ..autograd import Tensor, record
from ..errors import ShapeError
from .normalisation import parameter
from .operands import float_tensor, number, whole


def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5) -> Tensor:
    """Return weight * (x - mean) / sqrt(var + eps) + bias, mean and var over the last axes. [Ba2016]

    Parameters
    ----------
    x : Tensor or array_like, (..., *normalized_shape)
        float32 or float64.
    normalized_shape : int or tuple of int
        The last sizes of x.
    weight, bias : Tensor or array_like, normalized_shape, optional
    eps : float

    Raises
    ------
    ShapeError
        If x does not end in `normalized_shape`, or weight or bias have another shape.

    Notes
    -----
    The normalised x is saved, and one number for each row.
    """
    x = float_tensor("layer_norm", "x", x)
    given = normalized_shape if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
    last = tuple(whole("layer_norm", "normalized_shape", size) for size in given)
    if not last or x.data.shape[-len(last) :] != last or 0 in last:
        raise ShapeError(f"layer_norm: x must end in normalized_shape={last}, got x.shape={x.data.shape}")
    weight, bias = parameter("layer_norm", x, "weight", weight, last), parameter("layer_norm", x, "bias", bias, last)
    case = last, number("layer_norm", "eps", eps, 0)
    y, saved = _forward(x.data, None if weight is None else weight.data, None if bias is None else bias.data, case)
    return record("layer_norm", (x, weight, bias), y, _backward, saved, case)


def _forward(x, w, b, case):
    last, eps = case
    size = math.prod(last)
    rows = x.reshape(x.size // size, size)
    xhat = rows - rows.mean(axis=1, keepdims=True)
    rstd = 1 / np.sqrt(np.einsum("ij,ij->i", xhat, xhat)[:, None] / x.dtype.type(size) + x.dtype.type(eps))
    xhat *= rstd
    y = xhat if w is None else xhat * w.reshape(-1)
    if b is not None:
        y = y + b.reshape(-1)
    return y.reshape(x.shape), (xhat, rstd, w, x.shape)


def _backward(dy, saved, case, needs):
    xhat, rstd, w, shape = saved
    last, g = case[0], dy.reshape(xhat.shape)
    dx = dw = db = None
    if needs[1]:
        dw = np.einsum("ij,ij->j", g, xhat).reshape(last)
    if needs[2]:
        db = g.sum(axis=0).reshape(last)
    if needs[0]:
        g = g if w is None else g * w.reshape(-1)
        slope = np.einsum("ij,ij->i", g, xhat)[:, None] / dy.dtype.type(math.prod(last))
        dx = g - g.mean(axis=1, keepdims=True)
        dx -= xhat * slope
        dx *= rstd
        dx = dx.reshape(shape)
    return dx, dw, db
