"""reference.interpolate: images whose rows and columns are weighted means of two rows and columns of others.

`tables` holds for each axis (first, second, weight): place o is (1 - weight[o]) * x[first[o]] + weight[o] * x[second[o]].
"""

from __future__ import annotations

import numpy as np

from .precision import as_nchw, mean_dtype, widen


def _mixed(x, axis, table):
    first, second, weight = table
    along = weight.reshape(-1, *(1,) * (x.ndim - axis - 1))
    left = x.take(first, axis=axis)
    return np.where(along == 0, left, (1 - along) * left + along * x.take(second, axis=axis))


def _spread(dy, axis, size, table):
    first, second, weight = table
    dx = np.zeros((*dy.shape[:axis], size, *dy.shape[axis + 1 :]))
    at = (slice(None),) * axis
    for o, (i, k, w) in enumerate(zip(first, second, weight, strict=True)):
        dx[(*at, i)] += (1 - w) * dy[(*at, o)]
        if w:
            dx[(*at, k)] += w * dy[(*at, o)]
    return dx


def interpolate_forward(x, tables):
    """Return y (batch, channels, oh, ow)."""
    dtype, x = mean_dtype(x), widen(x).transpose(0, 2, 3, 1)
    return as_nchw(_mixed(_mixed(x, 1, tables[0]), 2, tables[1]), dtype)


def interpolate_backward(dy, tables, x_size):
    """Return dx (batch, channels, *x_size): each place gives its gradient to what it was made of."""
    dtype, dy = mean_dtype(dy), widen(dy).transpose(0, 2, 3, 1)
    return as_nchw(_spread(_spread(dy, 2, x_size[1], tables[1]), 1, x_size[0], tables[0]), dtype)
