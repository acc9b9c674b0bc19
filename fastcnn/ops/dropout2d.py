"""ops.dropout2d: whole channels of images set to zero at random. Papers: [Tompson2015]."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..errors import ShapeError
from ..kernels import elementwise
from ..threads import get_num_threads
from .operands import drawn, float_tensor, number


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
    kept = elementwise.dropout_mask(drawn(x.shape[:2]), case)
    ones = elementwise.full(x.shape[:2], 1.0, x.dtype)
    saved = elementwise.dropout(ones, kept, 1 / (1 - case) if case < 1 else 0.0).reshape(*x.shape[:2], *(1,) * (x.ndim - 2))
    return elementwise.mul(x, saved, threads=get_num_threads()), saved


def _backward(dy, saved, case, needs):
    return (elementwise.mul(dy, saved, threads=get_num_threads()),)
