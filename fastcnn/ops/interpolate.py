"""ops.interpolate: images resized: nearest pixel, or between four pixels. Kernels: interpolate_forward, ..._backward."""

from __future__ import annotations

import math

from ..autograd import Tensor, record
from ..errors import ArgumentError, ShapeError
from ..kernels import select as kernels
from ..shapes import pair
from .operands import float_tensor, number
from .resampling import taps


def interpolate(x, size=None, scale_factor=None, mode="nearest", align_corners=None) -> Tensor:
    """Return images resized to `size`, or by `scale_factor`.

    Parameters
    ----------
    x : Tensor or array_like, (batch, channels, ih, iw)
        float32 or float64.
    size : int or pair of int, optional
        (height, width) of the result.
    scale_factor : float or pair of float, optional
        Instead of `size`: the result has floor(ih * scale_factor) rows.
    mode : {"nearest", "bilinear"}
        The pixel at floor(o * ih / oh), or a weighted mean of the four around the place of the output.
    align_corners : bool, optional
        Of "bilinear": the middles of the corner pixels keep their places; otherwise the corners of the images do.

    Returns
    -------
    Tensor, (batch, channels, oh, ow)
        In channels-last memory.

    Raises
    ------
    ShapeError, ArgumentError
        If x is not an image, or not exactly one of size and scale_factor is given, or an option is unknown.
    """
    x = float_tensor("interpolate", "x", x)
    shape = x.data.shape
    if len(shape) != 4 or 0 in shape[1:]:
        raise ShapeError(f"interpolate: x must be (batch, channels, height, width) with no empty axis, got x.shape={shape}")
    if (size is None) == (scale_factor is None):
        raise ArgumentError(f"interpolate: one of size and scale_factor is needed, got {size!r} and {scale_factor!r}")
    if mode not in ("nearest", "bilinear"):
        raise ArgumentError(f"interpolate: mode must be 'nearest' or 'bilinear', got {mode!r}")
    if mode == "nearest" and align_corners is not None:
        raise ArgumentError("interpolate: align_corners is an option of mode='bilinear'")
    steps: tuple[float | None, ...] = (None, None)
    if scale_factor is not None:
        given = scale_factor if isinstance(scale_factor, (tuple, list)) else (scale_factor,) * 2
        factors = [number("interpolate", "scale_factor", f, 0, 2**16) for f in given]
        size = tuple(math.floor(n * f) for n, f in zip(shape[2:], factors, strict=True))
        steps = tuple(1 / f for f in factors if f)
    case = (*pair("interpolate", "size", size, 1), mode, bool(align_corners), *steps)
    y, saved = _forward(x.data, case)
    return record("interpolate", (x,), y, _backward, saved, case)


def _forward(x, case):
    oh, ow, mode, align, step_y, step_x = case
    ih, iw = x.shape[2:]
    tables = taps(ih, oh, mode, align, step_y), taps(iw, ow, mode, align, step_x)
    return kernels.interpolate_forward(x, tables), ((ih, iw), tables)


def _backward(dy, saved, case, needs):
    size, tables = saved
    return (kernels.interpolate_backward(dy, tables, size),)
