"""ops.normalisation: what the norms over groups share: pixels as rows, means over groups of channels, parameters checked."""

from __future__ import annotations

import math

import numpy as np

from ..autograd import Tensor
from ..errors import ShapeError
from .operands import same_dtype


def pixel_rows(x):
    """(batch, channels, ...) -> (batch, pixels, channels); a view of channels-last memory."""
    return np.moveaxis(x, 1, -1).reshape(x.shape[0], math.prod(x.shape[2:]), x.shape[1])


def from_pixel_rows(rows, shape: tuple[int, ...]):
    """The inverse of `pixel_rows`, in channels-last memory."""
    return np.moveaxis(rows.reshape(shape[0], *shape[2:], shape[1]), -1, 1)


def group_means(rows, groups: int):
    """(batch, pixels, channels) -> (batch, 1, channels): for each channel the mean over the pixels and channels of its group."""
    batch, pixels, channels = rows.shape
    means = np.matmul(np.full((1, pixels), 1 / pixels, dtype=rows.dtype), rows).reshape(batch, 1, groups, channels // groups)
    each = np.broadcast_to(means.mean(axis=3, keepdims=True), means.shape)
    return each.reshape(batch, 1, channels)


def parameter(op: str, x: Tensor, name: str, value, shape: tuple[int, ...]) -> Tensor | None:
    """Return an optional weight or bias as a Tensor of `shape` and of x's dtype."""
    if value is None:
        return None
    value = same_dtype(op, x, name, value)
    if value.data.shape != shape:
        raise ShapeError(f"{op}: {name} must have shape {shape}, got {value.data.shape} (x.shape={x.data.shape})")
    return value
