"""reference.avg_pool2d: the mean of each window.

The divisor is PyTorch's: with `count_include_pad` the taps inside the padded image, else those inside the image. Taps that
`ceil_mode` puts beyond the padding are never counted.
"""

from __future__ import annotations

import numpy as np

from ..shapes import Pool2dCase
from .precision import as_nchw, mean_dtype, widen


def _taps(case: Pool2dCase):
    """Yield (rows, columns): the image coordinates (may lie outside) that one tap reads for each output row and column."""
    for r in range(case.kh):
        for s in range(case.kw):
            yield np.arange(case.oh) * case.sh + r * case.dh - case.ph, np.arange(case.ow) * case.sw + s * case.dw - case.pw


def _divisor(case: Pool2dCase):
    """The number of counted taps of each window, (oh, ow, 1)."""
    ph, pw = (case.ph, case.pw) if case.count_include_pad else (0, 0)
    count = np.zeros((case.oh, case.ow), dtype=np.int64)
    for rows, columns in _taps(case):
        count += np.outer((rows >= -ph) & (rows < case.ih + ph), (columns >= -pw) & (columns < case.iw + pw))
    return count[:, :, None]


def _inside(rows, columns, case: Pool2dCase):
    """Output rows and columns whose tap lies inside of the image."""
    return np.flatnonzero((rows >= 0) & (rows < case.ih)), np.flatnonzero((columns >= 0) & (columns < case.iw))


def avg_pool2d_forward(x, case: Pool2dCase):
    """Return y of shape (batch, channels, oh, ow); a mean of integers is float64."""
    dtype = mean_dtype(x)
    x = widen(x.transpose(0, 2, 3, 1))
    total = np.zeros((case.batch, case.oh, case.ow, case.channels), dtype=x.dtype)
    for rows, columns in _taps(case):
        p, q = _inside(rows, columns, case)
        total[:, p[:, None], q] += x[:, rows[p][:, None], columns[q]]
    return as_nchw(total / _divisor(case), dtype)


def avg_pool2d_backward(dy, case: Pool2dCase):
    """Return dx of shape (batch, channels, ih, iw): each window spreads dy / divisor over its taps."""
    dtype = mean_dtype(dy)
    share = widen(dy.transpose(0, 2, 3, 1)) / _divisor(case)
    dx = np.zeros((case.batch, case.ih, case.iw, case.channels))
    for rows, columns in _taps(case):
        p, q = _inside(rows, columns, case)
        # within one tap no two windows read the same pixel, so += needs no np.add.at
        dx[:, rows[p][:, None], columns[q]] += share[:, p[:, None], q]
    return as_nchw(dx, dtype)
