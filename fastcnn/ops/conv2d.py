"""ops.conv2d: 2-D cross-correlation. Kernels: conv2d_forward, conv2d_backward_{data,weight,bias}."""

from __future__ import annotations

from functools import lru_cache

from ..autograd import Tensor, record
from ..errors import ShapeError
from ..kernels import select as kernels
from ..shapes import conv2d_case
from .bounds import activation_bounds, activation_gradient
from .operands import float_tensor, same_dtype

# Checking a geometry costs as much as a small convolution; a network repeats a few.
_known_case = lru_cache(maxsize=4096, typed=True)(conv2d_case)


def conv2d(
    x, weight, bias=None, *, stride=1, padding=0, dilation=1, groups=1, algorithm="auto", moments=None, ceiling=None
) -> Tensor:
    """Return y[n, o, i, j] = bias[o] + sum over c, r, s of x[n, c, i sh + r dh - ph, j sw + s dw - pw] weight[o, c, r, s].

    Parameters
    ----------
    x : Tensor or array_like, (batch, ci, ih, iw)
        float32 or float64. Channels-last memory is used as it is; other memory is converted once.
    weight : Tensor or array_like, (co, ci / groups, kh, kw)
    bias : Tensor or array_like, (co,), optional
    stride, dilation : int or pair of int
    padding : int, pair (height, width), four ints (top, bottom, left, right), "valid" or "same"
        Zeros around the image.
    groups : int
        Blocks of channels that are not connected.
    algorithm : {"auto", "direct", "depthwise", "batch", "narrow", "winograd", "reference"}
        Of all three directions. "auto" takes the one that should be fastest (see `set_plan_mode`, `use_algorithm`). Depthwise:
        groups = ci, co a multiple of it. Winograd (3x3, stride 1) spreads Inf and NaN over tiles of 4 x 4 outputs and rounds up
        to 8 times as much as direct.
    moments : Moments, optional
        Filled with the statistics of the result, where the algorithm can take them while it stores it: for `batch_norm`.
    ceiling : float, optional
        inf: ReLU of the result, 6: ReLU6, while it is stored.

    Returns
    -------
    Tensor, (batch, co, oh, ow)
        In channels-last memory. oh = floor((ih + 2 ph - dh (kh - 1) - 1) / sh) + 1, ow alike.

    Raises
    ------
    ShapeError, ArgumentError, DtypeError
        If channels do not match, the kernel is larger than the padded image, an option is out of range, or dtypes differ.

    Notes
    -----
    batch * co * oh * ow * ci / groups * kh * kw multiply-adds in each of the three directions (forward, data gradient,
    weight gradient). x and weight are saved; only gradients that are needed are computed.
    """
    x = float_tensor("conv2d", "x", x)
    weight = same_dtype("conv2d", x, "weight", weight)
    options = (x.data.shape, weight.data.shape, stride, padding, dilation, groups)
    try:
        case = _known_case(*options)
    except TypeError:  # a list among the options is not hashable
        case = conv2d_case(*options)
    if bias is not None:
        bias = same_dtype("conv2d", x, "bias", bias)
        if bias.data.shape != (case.co,):
            raise ShapeError(
                f"conv2d: bias must have shape ({case.co},), got bias.shape={bias.data.shape} "
                f"(x.shape={x.data.shape}, weight.shape={weight.data.shape})"
            )
    bounds = None if ceiling is None else activation_bounds("conv2d", ceiling)
    y, saved = _forward(x.data, weight.data, None if bias is None else bias.data, case, algorithm, moments, bounds)
    return record("conv2d", (x, weight, bias), y, _backward, saved, case)


def _forward(x, w, b, case, algorithm="auto", moments=None, bounds=None):
    x = kernels.to_channels_last(x)
    if moments is not None:
        y, moments.values = kernels.conv2d_forward_moments(x, w, b, case, algorithm)
    elif bounds is None:
        y = kernels.conv2d_forward(x, w, b, case, algorithm=algorithm)
    else:
        y = kernels.conv2d_forward(x, w, b, case, algorithm=algorithm, bounds=bounds)
        return y, (x, w, algorithm, y, bounds)
    return y, (x, w, algorithm, None, None)


def _backward(dy, saved, case, needs):
    x, w, algorithm, y, bounds = saved
    dy = kernels.to_channels_last(dy)
    if y is not None:
        dy = activation_gradient(dy, y, bounds)
    return (
        kernels.conv2d_backward_data(dy, w, case, algorithm=algorithm) if needs[0] else None,
        kernels.conv2d_backward_weight(dy, x, case, algorithm=algorithm) if needs[1] else None,
        kernels.conv2d_backward_bias(dy) if needs[2] else None,
    )
