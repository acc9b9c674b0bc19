"""reference.max_pool2d: the largest value of each window and where it was.

The rule for ties and NaN is PyTorch's: the first tap inside the image starts, a later one wins when it is larger or NaN.
A window without any tap inside the image (possible with dilation and padding) gives -inf and passes no gradient.
"""

from __future__ import annotations

import numpy as np

from ..shapes import Pool2dCase
from .precision import as_nchw, result_dtype, widen


def index_dtype(case: Pool2dCase) -> np.dtype:
    """The dtype of the saved index r * kw + s: uint8 while it fits, else int32."""
    return np.dtype(np.uint8 if case.kh * case.kw <= 256 else np.int32)


def _taps(case: Pool2dCase):
    """Yield (tap, rows, columns): the image coordinates, perhaps outside, that tap r * kw + s reads for each output."""
    for r in range(case.kh):
        for s in range(case.kw):
            rows = np.arange(case.oh) * case.sh + r * case.dh - case.ph
            columns = np.arange(case.ow) * case.sw + s * case.dw - case.pw
            yield r * case.kw + s, rows, columns


def max_pool2d_forward(x, case: Pool2dCase):
    """Return (y, index), both (batch, channels, oh, ow); index holds the winning tap r * kw + s."""
    dtype = result_dtype(x)
    x = widen(x.transpose(0, 2, 3, 1))
    shape = (case.batch, case.oh, case.ow, case.channels)
    best = np.full(shape, -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min, dtype=x.dtype)
    index = np.zeros(shape, dtype=index_dtype(case))
    started = np.zeros((case.oh, case.ow), dtype=bool)
    for tap, rows, columns in _taps(case):
        inside = np.outer((rows >= 0) & (rows < case.ih), (columns >= 0) & (columns < case.iw))
        if not inside.any():
            continue
        # values outside of the image are read from its edge and then masked by `inside`
        v = x[:, rows.clip(0, case.ih - 1)][:, :, columns.clip(0, case.iw - 1)]
        wins = inside[:, :, None] & (~started[:, :, None] | (v > best) | (v != v))
        best, index = np.where(wins, v, best), np.where(wins, index.dtype.type(tap), index)
        started |= inside
    return as_nchw(best, dtype), as_nchw(index, index.dtype)


def max_pool2d_backward(dy, index, case: Pool2dCase):
    """Return dx of shape (batch, channels, ih, iw): each dy goes to the pixel that won its window."""
    dtype = result_dtype(dy)
    dy, index = widen(dy.transpose(0, 2, 3, 1)), index.transpose(0, 2, 3, 1)
    dx = np.zeros((case.batch, case.ih, case.iw, case.channels), dtype=dy.dtype)
    for tap, rows, columns in _taps(case):
        p, q = np.flatnonzero((rows >= 0) & (rows < case.ih)), np.flatnonzero((columns >= 0) & (columns < case.iw))
        sent = np.where(index == tap, dy, dy.dtype.type(0))
        # within one tap no two windows read the same pixel, so += needs no np.add.at
        dx[:, rows[p][:, None], columns[q]] += sent[:, p[:, None], q]
    return as_nchw(dx, dtype)
