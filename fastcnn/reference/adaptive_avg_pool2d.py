"""reference.adaptive_avg_pool2d: means over bins that cover the image; output size (1, 1) is global average pooling.

Bin i of n over a side of length m is [floor(i * m / n), ceil((i + 1) * m / n)), as in PyTorch; bins may overlap.
"""

from __future__ import annotations

import numpy as np

from .precision import as_nchw, mean_dtype, widen


def bins(size: int, count: int) -> list[slice]:
    """The `count` bins over a side of length `size`."""
    return [slice(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def adaptive_avg_pool2d_forward(x, out_size):
    """Return y of shape (batch, channels, *out_size)."""
    batch, channels, ih, iw = x.shape
    oh, ow = out_size
    dtype, x = mean_dtype(x), widen(x)
    y = np.zeros((batch, oh, ow, channels))
    for p, rows in enumerate(bins(ih, oh)):
        for q, columns in enumerate(bins(iw, ow)):
            y[:, p, q] = x[:, :, rows, columns].mean(axis=(2, 3))
    return as_nchw(y, dtype)


def adaptive_avg_pool2d_backward(dy, x_shape):
    """Return dx of shape `x_shape`: each bin spreads dy / area over its pixels."""
    batch, channels, ih, iw = x_shape
    oh, ow = dy.shape[2:]
    dtype, dy = mean_dtype(dy), widen(dy)
    dx = np.zeros((batch, ih, iw, channels))
    for p, rows in enumerate(bins(ih, oh)):
        for q, columns in enumerate(bins(iw, ow)):
            area = (rows.stop - rows.start) * (columns.stop - columns.start)
            dx[:, rows, columns] += (dy[:, :, p, q] / area)[:, None, None, :]
    return as_nchw(dx, dtype)
