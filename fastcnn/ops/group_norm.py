"""ops.group_norm: normalisation of groups of channels of each image. Papers: [Wu2018]."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from ..errors import ArgumentError, ShapeError
from .normalisation import from_pixel_rows, group_means, parameter, pixel_rows
from .operands import float_tensor, number, whole


def group_norm(x, num_groups, weight=None, bias=None, eps=1e-5) -> Tensor:
    """Return weight * (x - mean) / sqrt(var + eps) + bias, mean and var over a group of channels of one image. [Wu2018]

    Parameters
    ----------
    x : Tensor or array_like, (batch, channels, ...)
        float32 or float64.
    num_groups : int
        Divides the channels; 1 normalises whole images, `channels` each channel of an image.
    weight, bias : Tensor or array_like, (channels,), optional
    eps : float

    Raises
    ------
    ShapeError, ArgumentError
        If sizes do not agree, or a group has only one value.

    Notes
    -----
    The normalised x is saved, and one number for each image and group.
    """
    x = float_tensor("group_norm", "x", x)
    shape, groups = x.data.shape, whole("group_norm", "num_groups", num_groups)
    if len(shape) < 2 or 0 in shape[1:]:
        raise ShapeError(f"group_norm: x must be (batch, channels, ...) with no empty axis, got x.shape={shape}")
    if groups < 1 or shape[1] % groups:
        raise ArgumentError(f"group_norm: num_groups must divide the {shape[1]} channels, got {groups} (x.shape={shape})")
    if shape[0] and x.data.size // (shape[0] * groups) == 1:
        raise ShapeError(f"group_norm: a group needs more than one value (num_groups={groups}, x.shape={shape})")
    weight, bias = parameter("group_norm", x, "weight", weight, shape[1:2]), parameter("group_norm", x, "bias", bias, shape[1:2])
    case = groups, number("group_norm", "eps", eps, 0)
    y, saved = _forward(x.data, None if weight is None else weight.data, None if bias is None else bias.data, case)
    return record("group_norm", (x, weight, bias), y, _backward, saved, case)


def _forward(x, w, b, case):
    groups, eps = case
    rows = pixel_rows(x)
    xhat = rows - group_means(rows, groups)
    y = xhat * xhat
    rstd = 1 / np.sqrt(group_means(y, groups) + x.dtype.type(eps))
    xhat *= rstd
    if w is None and b is None:
        return from_pixel_rows(xhat, x.shape), (xhat, rstd, w, x.shape)
    np.multiply(xhat, x.dtype.type(1) if w is None else w, out=y)
    if b is not None:
        y += b
    return from_pixel_rows(y, x.shape), (xhat, rstd, w, x.shape)


def _backward(dy, saved, case, needs):
    xhat, rstd, w, shape = saved
    g, groups = pixel_rows(dy), case[0]
    dx = dw = None
    product = g * xhat
    if needs[1]:
        dw = product.sum(axis=(0, 1))
    db = g.sum(axis=(0, 1)) if needs[2] else None
    if needs[0]:
        if w is not None:
            g = g * w
            product *= w
        mean, slope = group_means(g, groups), group_means(product, groups)
        dx = np.multiply(xhat, -slope, out=product)
        dx += g
        dx -= mean
        dx *= rstd
        dx = from_pixel_rows(dx, shape)
    return dx, dw, db
