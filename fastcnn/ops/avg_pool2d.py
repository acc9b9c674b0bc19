"""ops.avg_pool2d: the mean of each window. Kernels: avg_pool2d_forward, avg_pool2d_backward."""

from __future__ import annotations

from functools import lru_cache

from ..autograd import Tensor, record
from ..kernels import select as kernels
from ..shapes import pool2d_case
from .operands import float_tensor

_known_case = lru_cache(maxsize=4096, typed=True)(pool2d_case)


def avg_pool2d(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True) -> Tensor:
    """Return the mean of each window.

    Parameters
    ----------
    x, kernel_size, stride, padding, ceil_mode
        As in `max_pool2d`; padded pixels are zeros.
    count_include_pad : bool
        Count padded pixels in the divisor.

    Returns
    -------
    Tensor, (batch, channels, oh, ow)
    """
    x = float_tensor("avg_pool2d", "x", x)
    options = (x.data.shape, kernel_size, stride, padding, 1, ceil_mode, count_include_pad)
    try:
        case = _known_case(*options, op="avg_pool2d")
    except TypeError:  # a list among the options is not hashable
        case = pool2d_case(*options, op="avg_pool2d")
    y, saved = _forward(x.data, case)
    return record("avg_pool2d", (x,), y, _backward, saved, case)


def _forward(x, case):
    return kernels.avg_pool2d_forward(x, case), None


def _backward(dy, saved, case, needs):
    return (kernels.avg_pool2d_backward(dy, case),)
