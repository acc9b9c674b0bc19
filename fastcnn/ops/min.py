"""ops.min: the least element, of all or along one axis."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..autograd import Tensor
from .extremes import extreme, extreme_backward, extreme_forward
from .minimum import minimum


class Min(NamedTuple):
    """The least values along an axis and where they were."""

    values: Tensor
    indices: Tensor


def min(x, dim=None, keepdim=False):
    """Return the least element of x, or a pair (values, indices) along the axis `dim`.

    Without `dim` the gradient is shared equally by equal least elements; along an axis the first one receives it all.
    NaN counts as less than every number. An axis without elements raises ShapeError.
    With a tensor or an array in the place of `dim` this is `minimum`, as in PyTorch.
    """
    if isinstance(dim, (Tensor, np.ndarray)):
        return minimum(x, dim)
    values, indices = extreme("min", x, dim, keepdim, _forward, _backward)
    return values if indices is None else Min(values, indices)


def _forward(x, case):
    return extreme_forward("min", x, case)


def _backward(dy, saved, case, needs):
    return extreme_backward(dy, saved, case)
