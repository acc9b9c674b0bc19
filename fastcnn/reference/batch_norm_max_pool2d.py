"""reference.batch_norm_max_pool2d: normalisation, ReLU and max-pooling one after the other. [Ioffe2015]

The index of a maximum that the ReLU cuts (y <= 0 or y >= ceiling) is -1 in its dtype: no gradient passes there. Beside it
stand the x that won. Windows as in reference.max_pool2d, each with a tap inside the image.
"""

from __future__ import annotations

import numpy as np

from ..shapes import Pool2dCase
from .batch_norm import batch_norm_backward, batch_norm_forward, batch_norm_inference
from .max_pool2d import max_pool2d_backward, max_pool2d_forward
from .precision import as_nchw


def _clipped(y, ceiling):
    return np.minimum(np.maximum(y, 0), y.dtype.type(ceiling))


def _winners(x, index, case: Pool2dCase):
    """The values of x at the taps."""
    r, s = index.astype(np.intp) // case.kw, index.astype(np.intp) % case.kw
    rows = np.arange(case.oh)[:, None] * case.sh - case.ph + r * case.dh
    columns = np.arange(case.ow) * case.sw - case.pw + s * case.dw
    at = (rows * case.iw + columns).reshape(case.batch, case.channels, case.oh * case.ow)
    found = np.take_along_axis(x.reshape(case.batch, case.channels, case.ih * case.iw), at, axis=2).reshape(case.y_shape)
    return as_nchw(found.transpose(0, 2, 3, 1), x.dtype)


def batch_norm_max_pool2d_forward(x, weight, bias, eps, case: Pool2dCase, *, ceiling=np.inf):
    """Return (y, mean, var, winners, index) with the statistics of this batch."""
    z, mean, var = batch_norm_forward(x, weight, bias, eps)
    best, index = max_pool2d_forward(z, case)
    winners = _winners(x, index, case)
    index = index.astype(np.uint8 if case.kh * case.kw < 256 else np.int32)
    index[(best <= 0) | (best >= ceiling)] = np.array(-1).astype(index.dtype)
    return _clipped(best, ceiling), mean, var, winners, index


def batch_norm_max_pool2d_backward(dy, x, weight, mean, var, eps, winners, index, case: Pool2dCase, *, bias=None, ceiling=np.inf):
    """Return (dx, dweight, dbias); the winners, the bias and the ceiling are not needed beside the index."""
    return batch_norm_backward(max_pool2d_backward(dy, index, case), x, weight, mean, var, eps)


def batch_norm_max_pool2d_inference(x, weight, bias, mean, var, eps, case: Pool2dCase, *, ceiling=np.inf):
    """Return y with given (running) statistics."""
    return _clipped(max_pool2d_forward(batch_norm_inference(x, weight, bias, mean, var, eps), case)[0], ceiling)
