"""ops.max: the largest element, of all or along one axis."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..autograd import Tensor
from .extremes import extreme, extreme_backward, extreme_forward
from .maximum import maximum


class Max(NamedTuple):
    """The largest values along an axis and where they were."""

    values: Tensor
    indices: Tensor


def max(x, dim=None, keepdim=False):
    """Return the largest element of x, or a pair (values, indices) along the axis `dim`.

    Without `dim` the gradient is shared equally by equal largest elements; along an axis the first one receives it all.
    NaN counts as larger than every number. An axis without elements raises ShapeError.
    With a tensor or an array in the place of `dim` this is `maximum`, as in PyTorch.
    """
    if isinstance(dim, (Tensor, np.ndarray)):
        return maximum(x, dim)
    values, indices = extreme("max", x, dim, keepdim, _forward, _backward)
    return values if indices is None else Max(values, indices)


def _forward(x, case):
    return extreme_forward("max", x, case)


def _backward(dy, saved, case, needs):
    return extreme_backward(dy, saved, case)
