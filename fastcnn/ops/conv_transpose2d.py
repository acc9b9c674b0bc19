"""ops.conv_transpose2d: the data gradient of a convolution as a layer. Kernels: those of conv2d, their roles exchanged."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from ..errors import ShapeError
from ..kernels import elementwise
from ..kernels import select as kernels
from ..shapes import conv_transpose2d_case
from ..threads import get_num_threads
from .operands import float_tensor, same_dtype


def conv_transpose2d(
    x, weight, bias=None, *, stride=1, padding=0, output_padding=0, groups=1, dilation=1, algorithm="auto"
) -> Tensor:
    """Return y[n, o, i sh + r dh - ph, j sw + s dw - pw] = bias[o] + sum over c, r, s of x[n, c, i, j] weight[c, o, r, s].

    Parameters
    ----------
    x : Tensor or array_like, (batch, ci, ih, iw)
        float32 or float64.
    weight : Tensor or array_like, (ci, co / groups, kh, kw)
    bias : Tensor or array_like, (co,), optional
    stride, padding, dilation : int or pair of int
        Those of the convolution whose data gradient this is.
    output_padding : int or pair of int
        Rows and columns added below and to the right of the output; smaller than stride or dilation.
    groups : int
        Blocks of channels that are not connected.
    algorithm : {"auto", "direct", "depthwise", "winograd", "reference"}
        As in `conv2d`.

    Returns
    -------
    Tensor, (batch, co, oh, ow)
        In channels-last memory. oh = (ih - 1) sh - 2 ph + dh (kh - 1) + output_padding + 1, ow alike.

    Raises
    ------
    ShapeError, ArgumentError, DtypeError
        If channels do not match, the output would be empty, an option is out of range, or dtypes differ.

    Notes
    -----
    batch * ci * ih * iw * co / groups * kh * kw multiply-adds in each of the three directions. x and weight are saved.
    [Dumoulin2016]
    """
    x = float_tensor("conv_transpose2d", "x", x)
    weight = same_dtype("conv_transpose2d", x, "weight", weight)
    case = conv_transpose2d_case(x.data.shape, weight.data.shape, stride, padding, output_padding, groups, dilation)
    if bias is not None:
        bias = same_dtype("conv_transpose2d", x, "bias", bias)
        if bias.data.shape != (case.ci,):
            raise ShapeError(
                f"conv_transpose2d: bias must have shape ({case.ci},), got bias.shape={bias.data.shape} "
                f"(x.shape={x.data.shape}, weight.shape={weight.data.shape})"
            )
    y, saved = _forward(x.data, weight.data, None if bias is None else bias.data, case, algorithm)
    return record("conv_transpose2d", (x, weight, bias), y, _backward, saved, case)


def _forward(x, w, b, case, algorithm="auto"):
    x = kernels.to_channels_last(x)
    y = kernels.conv2d_backward_data(x, w, case, algorithm=algorithm)
    if b is not None:
        elementwise.add_to(y, np.broadcast_to(b[:, None, None], y.shape), threads=get_num_threads())
    return y, (x, w, algorithm)


def _backward(dy, saved, case, needs):
    x, w, algorithm = saved
    dy = kernels.to_channels_last(dy)
    return (
        kernels.conv2d_forward(dy, w, None, case, algorithm=algorithm) if needs[0] else None,
        kernels.conv2d_backward_weight(x, dy, case, algorithm=algorithm) if needs[1] else None,
        kernels.conv2d_backward_bias(dy) if needs[2] else None,
    )
