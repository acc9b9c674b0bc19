"""reference.group_norm: normalisation of groups of channels of each image. [Wu2018]

y = weight * xhat + bias, xhat = (x - mean) * rstd, rstd = 1 / sqrt(var + eps), with the mean and the biased variance of each
group. x is (batch, channels) or (batch, channels, height, width); weight and bias have shape (channels,) or are None.
"""

from __future__ import annotations

import numpy as np

from .precision import keep_layout, narrow, widen


def _grouped(x, groups):
    """(batch, channels, ...) -> (batch, groups, values of a group)."""
    return x.reshape(x.shape[0], groups, max(x.size // max(x.shape[0] * groups, 1), 1) if x.size else 0)


def _along(a, x):
    """(channels,) -> broadcastable against x."""
    return a.reshape((1, -1, 1, 1) if x.ndim == 4 else (1, -1))


def _mean(values):
    """(batch, groups, values) -> (batch, groups, 1)."""
    return values.sum(axis=2, keepdims=True) / max(values.shape[2], 1)


def group_norm_forward(x, groups, weight, bias, eps):
    """Return (y, mean, rstd); mean and rstd have shape (batch, groups)."""
    dtype = x.dtype
    x, weight, bias = widen(x, weight, bias)
    values = _grouped(x, groups)
    mean = _mean(values)
    rstd = 1 / np.sqrt(_mean((values - mean) ** 2) + eps)
    y = ((values - mean) * rstd).reshape(x.shape)
    if weight is not None:
        y = y * _along(weight, x)
    if bias is not None:
        y = y + _along(bias, x)
    return keep_layout(y, dtype), narrow(mean[..., 0], dtype), narrow(rstd[..., 0], dtype)


def group_norm_backward(dy, x, groups, weight, mean, rstd):
    """Return (dx, dweight, dbias); `mean` and `rstd` are those of the forward pass.

    dx = rstd * (g - mean(g) - xhat * mean(g * xhat)), g = weight * dy, means over each group.
    """
    dtype = x.dtype
    dy, x, weight, mean, rstd = widen(dy, x, weight, mean, rstd)
    rstd = rstd[..., None]
    xhat = (_grouped(x, groups) - mean[..., None]) * rstd
    over = (0, 2, 3) if x.ndim == 4 else (0,)
    dweight, dbias = (dy * xhat.reshape(x.shape)).sum(axis=over), dy.sum(axis=over)
    g = _grouped(dy if weight is None else dy * _along(weight, x), groups)
    dx = (rstd * (g - _mean(g) - xhat * _mean(g * xhat))).reshape(x.shape)
    return keep_layout(dx, dtype), narrow(dweight, dtype), narrow(dbias, dtype)
