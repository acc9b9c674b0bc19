"""reference.adaptive_max_pool2d: the largest value of bins that cover the image, and where it was.

The bins are those of adaptive_avg_pool2d; ties and NaN go as in max_pool2d. index is r * kw + s inside of the bin, where kw is
the width of the widest bin.
"""

from __future__ import annotations

import numpy as np

from .adaptive_avg_pool2d import bins
from .precision import as_nchw, result_dtype, widen


def longest(size: int, count: int) -> int:
    """The length of the longest of `count` bins over a side of length `size`."""
    return max(b.stop - b.start for b in bins(size, count))


def index_dtype(x_shape, out_size) -> np.dtype:
    """The dtype of the saved index: uint8 while the largest bin has at most 256 pixels, else int32."""
    area = longest(x_shape[2], out_size[0]) * longest(x_shape[3], out_size[1])
    return np.dtype(np.uint8 if area <= 256 else np.int32)


def adaptive_max_pool2d_forward(x, out_size):
    """Return (y, index), both (batch, channels, *out_size)."""
    batch, channels, ih, iw = x.shape
    (oh, ow), kw = out_size, longest(iw, out_size[1])
    dtype, wide = result_dtype(x), widen(x)
    y = np.zeros((batch, oh, ow, channels), dtype=wide.dtype)
    index = np.zeros((batch, oh, ow, channels), dtype=index_dtype(x.shape, out_size))
    for p, rows in enumerate(bins(ih, oh)):
        for q, columns in enumerate(bins(iw, ow)):
            best, tap = wide[:, :, rows.start, columns.start], np.zeros((batch, channels), dtype=index.dtype)
            for r in range(rows.start, rows.stop):
                for s in range(columns.start, columns.stop):
                    v = wide[:, :, r, s]
                    wins = (v > best) | (v != v)
                    best = np.where(wins, v, best)
                    tap = np.where(wins, index.dtype.type((r - rows.start) * kw + s - columns.start), tap)
            y[:, p, q], index[:, p, q] = best, tap
    return as_nchw(y, dtype), as_nchw(index, index.dtype)


def adaptive_max_pool2d_backward(dy, index, x_shape):
    """Return dx of shape `x_shape`: each dy goes to the pixel that won its bin."""
    batch, channels, ih, iw = x_shape
    oh, ow = dy.shape[2:]
    kw = longest(iw, ow)
    dtype, dy = result_dtype(dy), widen(dy)
    dx = np.zeros((batch, ih, iw, channels), dtype=dy.dtype)
    for p, rows in enumerate(bins(ih, oh)):
        for q, columns in enumerate(bins(iw, ow)):
            for r in range(rows.start, rows.stop):
                for s in range(columns.start, columns.stop):
                    here = index[:, :, p, q] == (r - rows.start) * kw + s - columns.start
                    dx[:, r, s] += np.where(here, dy[:, :, p, q], 0)
    return as_nchw(dx, dtype)
