"""reference.batch_norm: normalisation of each channel over the batch (and the image). [Ioffe2015]

y = weight * xhat + bias, xhat = (x - mean) / sqrt(var + eps), with var the biased variance. The channel axis is 1, the rank
of x is 2 or 4; weight and bias have shape (channels,) or are None.
"""

from __future__ import annotations

import numpy as np

from .precision import keep_layout, narrow, widen


def _axes(x) -> tuple[int, ...]:
    return (0, 2, 3) if x.ndim == 4 else (0,)


def _along(a, x):
    """(channels,) -> broadcastable against x."""
    return a.reshape((1, -1, 1, 1) if x.ndim == 4 else (1, -1))


def _count(x) -> int:
    """Values per channel; 1 for an empty batch, so that its statistics are zero."""
    return max(x.size // max(x.shape[1], 1), 1)


def _affine(xhat, weight, bias):
    if weight is not None:
        xhat = xhat * _along(weight, xhat)
    return xhat if bias is None else xhat + _along(bias, xhat)


def batch_norm_forward(x, weight, bias, eps, *, relu=False):
    """Return (y, mean, var) with the statistics of this batch, y >= 0 if `relu`; mean and var have shape (channels,)."""
    dtype = x.dtype
    x, weight, bias = widen(x, weight, bias)
    mean = x.sum(axis=_axes(x)) / _count(x)
    centred = x - _along(mean, x)
    var = (centred**2).sum(axis=_axes(x)) / _count(x)
    y = _affine(centred / np.sqrt(_along(var, x) + eps), weight, bias)
    return keep_layout(np.maximum(y, 0) if relu else y, dtype), narrow(mean, dtype), narrow(var, dtype)


def batch_norm_backward(dy, x, weight, mean, var, eps, *, bias=None, relu=False):
    """Return (dx, dweight, dbias); `mean` and `var` are those of the forward pass, so dx includes their derivative.

    dx = weight / sqrt(var + eps) * (dy - mean(dy) - xhat * mean(dy * xhat)), means over batch and image. With `relu`, dy
    counts except where the forward result, which takes `bias`, is at most zero.
    """
    dtype = x.dtype
    dy, x, weight, bias, mean, var = widen(dy, x, weight, bias, mean, var)
    rstd = 1 / np.sqrt(var + eps)
    xhat = (x - _along(mean, x)) * _along(rstd, x)
    if relu:
        dy = np.where(_affine(xhat, weight, bias) <= 0, 0, dy)
    dbias = dy.sum(axis=_axes(x))
    dweight = (dy * xhat).sum(axis=_axes(x))
    dx = dy - _along(dbias / _count(x), x) - xhat * _along(dweight / _count(x), x)
    dx = dx * _along(rstd if weight is None else rstd * weight, x)
    return keep_layout(dx, dtype), narrow(dweight, dtype), narrow(dbias, dtype)


def batch_norm_inference(x, weight, bias, mean, var, eps):
    """Return y with given (running) statistics."""
    dtype = x.dtype
    x, weight, bias, mean, var = widen(x, weight, bias, mean, var)
    xhat = (x - _along(mean, x)) / np.sqrt(_along(var, x) + eps)
    return keep_layout(_affine(xhat, weight, bias), dtype)
