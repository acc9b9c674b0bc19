"""reference.relu: max(x, 0), any shape."""

from __future__ import annotations

import numpy as np

from .precision import keep_layout


def relu_forward(x):
    """Return max(x, 0); NaN stays NaN."""
    return keep_layout(np.where(x <= 0, x.dtype.type(0), x), x.dtype)


def relu_backward(dy, y):
    """Return 0 where y <= 0, dy elsewhere (also where y is NaN); `y` is the output of the forward pass."""
    return keep_layout(np.where(y <= 0, dy.dtype.type(0), dy), dy.dtype)
