"""reference.layout: the memory order of a logical (batch, channels, height, width) array."""

from __future__ import annotations

import numpy as np


def to_channels_last(x):
    """Return the same values and logical shape in contiguous NHWC memory (a copy unless x already is)."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def to_contiguous(x):
    """Return the same values and logical shape in contiguous NCHW memory (a copy unless x already is)."""
    return np.ascontiguousarray(x)
