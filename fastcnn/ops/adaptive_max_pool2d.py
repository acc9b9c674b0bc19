"""ops.adaptive_max_pool2d: largest values over a grid of given size. Kernels: adaptive_max_pool2d_forward, ..._backward."""

from __future__ import annotations

from ..autograd import Tensor, is_grad_enabled, record
from ..errors import ShapeError
from ..kernels import select as kernels
from ..shapes import pair
from .max_pool2d import max_pool2d
from .operands import float_tensor


def adaptive_max_pool2d(x, output_size) -> Tensor:
    """Return the largest values over a grid of `output_size` bins; 1 is global max pooling.

    Parameters
    ----------
    x : Tensor or array_like, (batch, channels, ih, iw)
        float32 or float64.
    output_size : int or pair of int
        Bin i of n covers floor(i ih / n) .. ceil((i + 1) ih / n) - 1; an entry None keeps the size of x.

    Returns
    -------
    Tensor, (batch, channels, *output_size)

    Notes
    -----
    Where the grid divides the image it is recorded as the `max_pool2d` that it then is. Equal largest values: the first, row
    by row.
    """
    x = float_tensor("adaptive_max_pool2d", "x", x)
    shape = x.data.shape
    if len(shape) != 4:
        raise ShapeError(f"adaptive_max_pool2d: x must have 4 axes (batch, channels, height, width), got x.shape={shape}")
    if 0 in shape[1:]:
        raise ShapeError(f"adaptive_max_pool2d: x has an empty axis (x.shape={shape})")
    if isinstance(output_size, (tuple, list)) and len(output_size) == 2:
        output_size = tuple(s if o is None else o for o, s in zip(output_size, shape[2:], strict=True))
    case = oh, ow = pair("adaptive_max_pool2d", "output_size", output_size, 1)
    if shape[2] % oh == shape[3] % ow == 0:
        return max_pool2d(x, (shape[2] // oh, shape[3] // ow))
    y, saved = _forward(x.data, case, need_index=x.requires_grad and is_grad_enabled())
    return record("adaptive_max_pool2d", (x,), y, _backward, saved, case)


def _forward(x, case, need_index=True):
    y, index = kernels.adaptive_max_pool2d_forward(x, case, need_index=need_index)
    return y, (index, x.shape)


def _backward(dy, saved, case, needs):
    index, shape = saved
    return (kernels.adaptive_max_pool2d_backward(dy, index, shape),)
