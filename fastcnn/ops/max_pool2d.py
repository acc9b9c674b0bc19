"""ops.max_pool2d: the largest value of each window. Kernels: max_pool2d_forward, max_pool2d_backward."""

from __future__ import annotations

from functools import lru_cache

from ..autograd import Tensor, is_grad_enabled, record
from ..kernels import select as kernels
from ..shapes import pool2d_case
from .operands import float_tensor

_known_case = lru_cache(maxsize=4096, typed=True)(pool2d_case)


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False) -> Tensor:
    """Return the largest value of each window; a NaN in the window wins.

    Parameters
    ----------
    x : Tensor or array_like, (batch, channels, ih, iw)
        float32 or float64.
    kernel_size : int or pair of int
    stride : int or pair of int, optional
        `kernel_size` when left out.
    padding : int or pair of int
        At most half of the kernel; padded pixels never win.
    dilation : int or pair of int
    ceil_mode : bool
        Also take windows that reach over the right or lower edge.

    Returns
    -------
    Tensor, (batch, channels, oh, ow)

    Notes
    -----
    Saved, if backward needs it: one byte per output (the position in the window). Equal largest values: the first, row by row.
    """
    x = float_tensor("max_pool2d", "x", x)
    options = (x.data.shape, kernel_size, stride, padding, dilation, ceil_mode)
    try:
        case = _known_case(*options, op="max_pool2d")
    except TypeError:  # a list among the options is not hashable
        case = pool2d_case(*options, op="max_pool2d")
    y, saved = _forward(x.data, case, need_index=x.requires_grad and is_grad_enabled())
    return record("max_pool2d", (x,), y, _backward, saved, case)


def _forward(x, case, need_index=True):
    return kernels.max_pool2d_forward(x, case, need_index=need_index)


def _backward(dy, saved, case, needs):
    return (kernels.max_pool2d_backward(dy, saved, case),)
