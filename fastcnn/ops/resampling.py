"""ops.resampling: which pixels of an axis a resized axis is made of."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=512)
def taps(size: int, count: int, mode: str, align_corners: bool, step: float | None):
    """Return (first pixel, second pixel, weight of the second), `count` of each, read-only; `step` in pixels (size / count).

    nearest: floor(o step). bilinear: at (o + 1/2) step - 1/2, not below 0, or, with aligned corners, at
    o (size - 1) / (count - 1).
    """
    places = np.arange(count)
    if mode == "nearest":
        first = places * size // count if step is None else np.floor(places * step).astype(np.int64)
        first = np.minimum(first, size - 1)
        return frozen(first, first, np.zeros(count))
    if align_corners:
        at = places * ((size - 1) / (count - 1) if count > 1 else 0.0)
    else:
        at = np.maximum((places + 0.5) * (size / count if step is None else step) - 0.5, 0)
    first = np.minimum(at.astype(np.int64), size - 1)
    return frozen(first, np.minimum(first + 1, size - 1), np.clip(at - first, 0, 1))


def frozen(*arrays):
    """Return the arrays as a tuple that may be shared: nobody can write to them."""
    for a in arrays:
        a.flags.writeable = False
    return arrays
