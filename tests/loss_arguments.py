"""tests.loss_arguments: the arguments that a case of softmax or of a loss stands for."""

from __future__ import annotations

import numpy as np

from fastcnn.reference import cross_entropy, soft_cross_entropy, softmax


def softmax_backward(case, draw):
    *shape, logarithm = case
    return draw(shape), softmax.softmax_forward(draw(shape), logarithm), logarithm


def loss_backward(case, draw):
    kind, p, factor, reduction, shape = case
    return draw(shape if reduction == "none" else ()), draw(shape), draw(shape), kind, p, factor, reduction


def cross_entropy_backward(case, draw):
    samples, classes, smoothing = case
    target = draw.labels(samples, classes)
    _, probs = cross_entropy.cross_entropy_forward(draw((samples, classes)), target)
    return draw((samples,)), probs, target, smoothing


def soft_cross_entropy_forward(case, draw):
    samples, classes, smoothing, weighted, reduction, _ = case
    target = np.abs(draw((samples, classes))) / classes
    return 3 * draw((samples, classes)), target, np.abs(draw((classes,))) if weighted else None, smoothing, reduction


def soft_cross_entropy_backward(case, draw):
    x, target, weight, smoothing, reduction = args = soft_cross_entropy_forward(case, draw)
    _, kept = soft_cross_entropy.soft_cross_entropy_forward(*args)
    return draw(x.shape[:1] if reduction == "none" else ()), x, target, kept, weight, smoothing, reduction, case[-1]
