"""reference.soft_cross_entropy: softmax cross-entropy of probabilities. [Szegedy2016]

loss[n] = -sum over k of q[n, k] * log p[n, k], p = softmax(x),
q = weight * ((1 - label_smoothing) * target + label_smoothing / K)
"""

from __future__ import annotations

import numpy as np

from .precision import narrow, widen


def _wide(x, target, weight, label_smoothing):
    """x and q as float64."""
    x, q = widen(x, target)
    q = (1 - label_smoothing) * q + label_smoothing / max(x.shape[1], 1)
    return x, q if weight is None else q * widen(weight)


def soft_cross_entropy_forward(x, target, weight=None, label_smoothing=0.0, reduction="none"):
    """Return (loss, kept); x and target (N, K), loss (N,), or () for "sum" and "mean".

    kept (N, 3): the largest of x, the sum of exp(x - largest), the sum of q.
    """
    dtype, (x, q) = x.dtype, _wide(x, target, weight, label_smoothing)
    largest = x.max(axis=1, keepdims=True) if len(x) else x[:, :1]
    distance = x - largest
    total = np.exp(distance).sum(axis=1, keepdims=True)
    loss = -(q * (distance - np.log(total))).sum(axis=1)
    if reduction != "none":
        loss = np.array(loss.sum() / (1 if reduction == "sum" else len(loss) or np.nan))
    return narrow(loss, dtype), narrow(np.concatenate([largest, total, q.sum(axis=1, keepdims=True)], axis=1), dtype)


def soft_cross_entropy_backward(dloss, x, target, kept, weight=None, label_smoothing=0.0, reduction="none", of_target=False):
    """Return dx = dloss (p sum(q) - q), or the gradient of the target; `kept` comes from forward."""
    dtype, (x, q), (dloss, kept) = x.dtype, _wide(x, target, weight, label_smoothing), widen(dloss, kept)
    largest, total, sum_of_q = np.split(kept, 3, axis=1)
    dloss = dloss / (len(x) or 1) if reduction == "mean" else dloss
    dloss = dloss.reshape(-1, 1)
    if not of_target:
        return narrow(dloss * (np.exp(x - largest) / total * sum_of_q - q), dtype)
    slope = dloss * (label_smoothing - 1) * (x - largest - np.log(total))
    return narrow(slope if weight is None else slope * widen(weight), dtype)
