"""reference.cross_entropy: softmax cross-entropy with label smoothing, per sample. [Szegedy2016]

loss[n] = -sum over k of q[n, k] * log p[n, k], p = softmax(logits), q = (1 - label_smoothing) * onehot + label_smoothing / K
"""

from __future__ import annotations

import numpy as np

from .precision import narrow, widen


def cross_entropy_forward(logits, target, label_smoothing=0.0, weight=None, ignore_index=-100, reduction="none"):
    """Return (loss, probs); probs (N, K), loss (N,), or () for the reductions "sum" and "mean".

    `target` holds N class numbers in 0..K-1, or `ignore_index`: a loss of 0, and no part in the mean. With `weight` (K,) each
    term of the sum is multiplied by that of its class, and the mean is over weight[target].
    """
    ignored = target == ignore_index
    target = np.where(ignored, 0, target)
    dtype, logits = logits.dtype, widen(logits)
    rows = np.arange(len(target))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    w = np.ones(logits.shape[1]) if weight is None else widen(weight)
    loss = -w[target] * log_p[rows, target]
    if label_smoothing:  # a class of probability zero makes the smoothed loss infinite, the plain one not
        loss = (1 - label_smoothing) * loss - label_smoothing * (w * log_p).mean(axis=1)
    loss = np.where(ignored, 0, loss)
    if reduction != "none":
        loss = np.array(loss.sum() / (_share(w[target], ignored, reduction) or np.nan))
    return narrow(loss, dtype), narrow(np.exp(log_p), dtype)


def cross_entropy_backward(dloss, probs, target, label_smoothing=0.0, weight=None, ignore_index=-100, reduction="none"):
    """Return dlogits = dloss * (sum(w q) p - w q) of shape (N, K), 0 for ignored samples; `dloss` is () when reduced."""
    ignored = target == ignore_index
    target = np.where(ignored, 0, target)
    dtype = probs.dtype
    dloss, probs = widen(dloss, probs)
    w = np.ones(probs.shape[1]) if weight is None else widen(weight)
    q = np.full(probs.shape, label_smoothing / probs.shape[1])
    q[np.arange(len(target)), target] += 1 - label_smoothing
    q *= w
    dloss = np.where(ignored, 0, dloss / (_share(w[target], ignored, reduction) or 1))
    return narrow(dloss[:, None] * (q.sum(axis=1, keepdims=True) * probs - q), dtype)


def _share(weights, ignored, reduction: str) -> float:
    """What the sum of the losses is divided by."""
    return float(weights[~ignored].sum()) if reduction == "mean" else 1.0
