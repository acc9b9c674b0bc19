"""ops.dropout2d: whole channels of images set to zero at random. Papers: [Tompson2015]."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from ..errors import ShapeError
from ..rng import generator
from .operands import float_tensor, number


def dropout2d(x, p=0.5, training=True) -> Tensor:
    """Return x with each channel of each image zeroed with probability `p` and the others scaled by 1 / (1 - p). [Tompson2015]

    Parameters
    ----------
    x : Tensor or array_like, (batch, channels, ...)
        float32 or float64.
    p : float, 0 .. 1
    training : bool
        False returns x itself.

    Notes
    -----
    Draws one number for each (image, channel) from the global generator (`fastcnn.manual_seed`).
    """
    x = float_tensor("dropout2d", "x", x)
    p = number("dropout2d", "p", p, 0, 1)
    if x.data.ndim < 2:
        raise ShapeError(f"dropout2d: x must have at least 2 axes (batch, channels, ...), got x.shape={x.data.shape}")
    if not training or p == 0.0:
        return x
    y, saved = _forward(x.data, p)
    return record("dropout2d", (x,), y, _backward, saved, p)


def _forward(x, case):
    kept = generator().random(x.shape[:2], dtype=np.float32) >= case
    saved = kept * x.dtype.type(1 / (1 - case) if case < 1 else 0)
    saved = saved.reshape(*x.shape[:2], *(1,) * (x.ndim - 2))
    return x * saved, saved


def _backward(dy, saved, case, needs):
    return (dy * saved,)
