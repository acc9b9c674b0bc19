"""ops.adaptive_max_pool2d: largest values over a grid of given size. Kernels: max_pool2d_forward, max_pool2d_backward."""

from __future__ import annotations

from ..autograd import Tensor, is_grad_enabled, record
from ..errors import ShapeError
from ..kernels import select as kernels
from ..shapes import pair, pool2d_case
from .operands import float_tensor


def adaptive_max_pool2d(x, output_size) -> Tensor:
    """Return the largest values over a grid of `output_size` bins; 1 is global max pooling.

    Parameters
    ----------
    x : Tensor or array_like, (batch, channels, ih, iw)
        float32 or float64.
    output_size : int or pair of int
        Must divide the image; an entry None keeps the size of x.

    Returns
    -------
    Tensor, (batch, channels, *output_size)

    Raises
    ------
    ShapeError
        If the image cannot be divided into equal bins.
    """
    x = float_tensor("adaptive_max_pool2d", "x", x)
    shape = x.data.shape
    if len(shape) != 4:
        raise ShapeError(f"adaptive_max_pool2d: x must have 4 axes (batch, channels, height, width), got x.shape={shape}")
    if 0 in shape[1:]:
        raise ShapeError(f"adaptive_max_pool2d: x has an empty axis (x.shape={shape})")
    if isinstance(output_size, (tuple, list)) and len(output_size) == 2:
        output_size = tuple(s if o is None else o for o, s in zip(output_size, shape[2:], strict=True))
    oh, ow = pair("adaptive_max_pool2d", "output_size", output_size, 1)
    if shape[2] % oh or shape[3] % ow:
        raise ShapeError(f"adaptive_max_pool2d: output_size={(oh, ow)} does not divide the image (x.shape={shape})")
    case = pool2d_case(shape, (shape[2] // oh, shape[3] // ow), op="adaptive_max_pool2d")
    y, saved = _forward(x.data, case, need_index=x.requires_grad and is_grad_enabled())
    return record("max_pool2d", (x,), y, _backward, saved, case)


def _forward(x, case, need_index=True):
    return kernels.max_pool2d_forward(x, case, need_index=need_index)


def _backward(dy, saved, case, needs):
    return (kernels.max_pool2d_backward(dy, saved, case),)
