"""reference.loss: losses of pairs of values by their formulas, each, summed, or their mean, and their gradients.

d = x - target. "square": d^2; "absolute": |d|; "huber": d^2 / 2 where |d| < p, else p (|d| - p / 2); "logits": the cross-entropy
-t log s - (1 - t) log(1 - s), s = 1 / (1 + exp(-x)).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .precision import keep_layout, widen


def _huber(x, t, p):
    size = abs(x - t)
    return np.where(size < p, size**2 / 2, p * (size - p / 2))


FORWARD: dict[str, Callable] = {
    "square": lambda x, t, p: (x - t) ** 2,
    "absolute": lambda x, t, p: abs(x - t),
    "huber": _huber,
    "logits": lambda x, t, p: np.maximum(x, 0) - x * t + np.log1p(np.exp(-abs(x))),
}
SLOPE: dict[str, Callable] = {
    "square": lambda x, t, p: 2 * (x - t),
    "absolute": lambda x, t, p: np.sign(x - t),
    "huber": lambda x, t, p: np.clip(x - t, -p, p),
    "logits": lambda x, t, p: np.where(x < 0, np.exp(np.minimum(x, 0)), 1) / (1 + np.exp(-abs(x))) - t,
}


def loss_forward(x, target, kind, p=0.0, factor=1.0, reduction="mean"):
    """Return factor * loss of each pair for "none", else their sum or mean, of shape (); the mean of nothing is NaN."""
    dtype = x.dtype
    each = FORWARD[kind](*widen(x, target), p) * factor
    if reduction == "none":
        return keep_layout(np.asarray(each), dtype)
    total = each.sum()
    if reduction == "mean":
        total = total / each.size if each.size else np.float64(np.nan)
    return np.asarray(total).astype(dtype)


def loss_backward(dy, x, target, kind, p=0.0, factor=1.0, reduction="mean"):
    """Return dx; dy has the shape of x for "none", else ()."""
    dtype = x.dtype
    dy, x, target = widen(dy, x, target)
    count = max(x.size, 1) if reduction == "mean" else 1
    return keep_layout(np.asarray(SLOPE[kind](x, target, p) * factor * dy / count), dtype)
