"""ops.adaptive_avg_pool2d: means over a grid of given size. Kernels: adaptive_avg_pool2d_forward, ..._backward."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..errors import ShapeError
from ..kernels import select as kernels
from ..shapes import pair
from .operands import float_tensor


def adaptive_avg_pool2d(x, output_size) -> Tensor:
    """Return the means over a grid of `output_size` bins; 1 is global average pooling.

    Parameters
    ----------
    x : Tensor or array_like, (batch, channels, ih, iw)
        float32 or float64.
    output_size : int or pair of int
        Bin i of n covers floor(i ih / n) .. ceil((i + 1) ih / n) - 1; an entry None keeps the size of x.

    Returns
    -------
    Tensor, (batch, channels, *output_size)
    """
    x = float_tensor("adaptive_avg_pool2d", "x", x)
    shape = x.data.shape
    if len(shape) != 4:
        raise ShapeError(f"adaptive_avg_pool2d: x must have 4 axes (batch, channels, height, width), got x.shape={shape}")
    if 0 in shape[1:]:
        raise ShapeError(f"adaptive_avg_pool2d: x has an empty axis (x.shape={shape})")
    if isinstance(output_size, (tuple, list)) and len(output_size) == 2:
        output_size = tuple(s if o is None else o for o, s in zip(output_size, shape[2:], strict=True))
    case = pair("adaptive_avg_pool2d", "output_size", output_size, 1)
    y, saved = _forward(x.data, case)
    return record("adaptive_avg_pool2d", (x,), y, _backward, saved, case)


def _forward(x, case):
    return kernels.adaptive_avg_pool2d_forward(x, case), x.shape


def _backward(dy, saved, case, needs):
    return (kernels.adaptive_avg_pool2d_backward(dy, saved),)
