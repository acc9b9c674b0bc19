"""reference.loss: losses of pairs of values by their formulas, each, summed, or their mean, and their gradients.

d = x - target. "square": d^2; "absolute": |d|; "huber": d^2 / 2 where |d| < p, else p (|d| - p / 2); "logits": the cross-entropy
weight (-pos_weight t log s - (1 - t) log(1 - s)), s = 1 / (1 + exp(-x)). "divergence": q (log q - x), q = target, 0 where q is
0; "log_divergence": the same of q = exp(target).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .precision import keep_layout, widen


def _huber(x, t, p):
    size = abs(x - t)
    return np.where(size < p, size**2 / 2, p * (size - p / 2))


def _log(t):
    with np.errstate(all="ignore"):
        return np.log(t)


def _sigmoid(x):
    return np.where(x < 0, np.exp(np.minimum(x, 0)), 1) / (1 + np.exp(-abs(x)))


def _softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))


def _weighted(x, t, w, pos):
    return w * ((1 - t) * x + (1 + (pos - 1) * t) * _softplus(-x))


def _weighted_slope(x, t, w, pos, of_target: bool):
    if of_target:
        return w * ((pos - 1) * _softplus(-x) - x)
    return w * ((1 - t) * _sigmoid(x) - pos * t * _sigmoid(-x))


def _ones(array):
    return np.float64(1) if array is None else widen(array)


FORWARD: dict[str, Callable] = {
    "square": lambda x, t, p: (x - t) ** 2,
    "absolute": lambda x, t, p: abs(x - t),
    "huber": _huber,
    "logits": lambda x, t, p: np.maximum(x, 0) - x * t + np.log1p(np.exp(-abs(x))),
    "divergence": lambda x, t, p: np.where(t == 0, 0, t * (_log(np.where(t == 0, 1, t)) - x)),
    "log_divergence": lambda x, t, p: np.exp(t) * (t - x),
}
SLOPE: dict[str, Callable] = {
    "square": lambda x, t, p: 2 * (x - t),
    "absolute": lambda x, t, p: np.sign(x - t),
    "huber": lambda x, t, p: np.clip(x - t, -p, p),
    "logits": lambda x, t, p: _sigmoid(x) - t,
    "divergence": lambda x, t, p: -t,
    "log_divergence": lambda x, t, p: -np.exp(t),
}
TARGET_SLOPE: dict[str, Callable] = {
    "logits": lambda x, t, p: -x,
    "divergence": lambda x, t, p: 1 + _log(t) - x,
    "log_divergence": lambda x, t, p: np.exp(t) * (1 + t - x),
}


def loss_forward(x, target, kind, p=0.0, factor=1.0, reduction="mean", *, weight=None, pos_weight=None):
    """Return factor * loss of each pair for "none", else their sum or mean, of shape (); the mean of nothing is NaN."""
    dtype = x.dtype
    x, target = widen(x, target)
    if kind == "logits" and (weight is not None or pos_weight is not None):
        each = _weighted(x, target, _ones(weight), _ones(pos_weight)) * factor
    else:
        each = FORWARD[kind](x, target, p) * factor
    if reduction == "none":
        return keep_layout(np.asarray(each), dtype)
    total = each.sum()
    if reduction == "mean":
        total = total / each.size if each.size else np.float64(np.nan)
    return np.asarray(total).astype(dtype)


def loss_backward(dy, x, target, kind, p=0.0, factor=1.0, reduction="mean", *, weight=None, pos_weight=None, of_target=False):
    """Return dx, or the gradient of the target; dy has the shape of x for "none", else ()."""
    dtype = x.dtype
    dy, x, target = widen(dy, x, target)
    count = max(x.size, 1) if reduction == "mean" else 1
    if kind == "logits" and (weight is not None or pos_weight is not None):
        slope = _weighted_slope(x, target, _ones(weight), _ones(pos_weight), of_target)
    else:
        slope = (TARGET_SLOPE if of_target else SLOPE)[kind](x, target, p)
    return keep_layout(np.asarray(slope * factor * dy / count), dtype)
