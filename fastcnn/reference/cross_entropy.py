"""reference.cross_entropy: softmax cross-entropy with label smoothing, per sample. [Szegedy2016]

loss[n] = -sum over k of q[n, k] * log p[n, k], p = softmax(logits), q = (1 - label_smoothing) * onehot + label_smoothing / K
"""

from __future__ import annotations

import numpy as np

from .precision import narrow, widen


def cross_entropy_forward(logits, target, label_smoothing=0.0):
    """Return (loss, probs) of shapes (N,) and (N, K); `target` holds N class numbers in 0..K-1."""
    dtype, logits = logits.dtype, widen(logits)
    rows = np.arange(len(target))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_p[rows, target]
    if label_smoothing:  # a class of probability zero makes the smoothed loss infinite, the plain one not
        loss = (1 - label_smoothing) * loss - label_smoothing * log_p.mean(axis=1)
    return narrow(loss, dtype), narrow(np.exp(log_p), dtype)


def cross_entropy_backward(dloss, probs, target, label_smoothing=0.0):
    """Return dlogits = dloss * (p - q) of shape (N, K)."""
    dtype = probs.dtype
    dloss, probs = widen(dloss, probs)
    q = np.full(probs.shape, label_smoothing / probs.shape[1])
    q[np.arange(len(target)), target] += 1 - label_smoothing
    return narrow(dloss[:, None] * (probs - q), dtype)
