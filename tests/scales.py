"""tests.scales: the magnitude of results before cancellation, to which rounding is proportional."""

from __future__ import annotations

import numpy as np

from fastcnn.reference import group_norm


def largest(a) -> float:
    return float(np.max(abs(a), initial=0, where=np.isfinite(a)))


def rms(a) -> float:
    finite = a[np.isfinite(a)].astype(np.float64)
    return float(np.sqrt(np.mean(finite**2))) if finite.size else 0.0


def sum_of_one(length, a, *_rest):
    return (np.sqrt(length) * rms(a),)


def sum_of_products(length, a, b, *_rest):
    return (np.sqrt(length) * rms(a) * rms(b),)


def gain(weight, var, eps) -> float:
    return largest((1 if weight is None else weight) / np.sqrt(var + eps))


def batch_norm_forward_scale(length, x, weight, _bias, eps):
    var = x.var(axis=(0, 2, 3) if x.ndim == 4 else 0) if x.size else np.ones(1)
    return gain(weight, var, eps) * largest(x), rms(x) / np.sqrt(length)


def batch_norm_backward_scale(length, dy, x, weight, mean, var, eps):
    return gain(weight, var, eps) * largest(dy), *(2 * sum_of_one(length, dy))


def batch_norm_inference_scale(_length, x, weight, _bias, _mean, var, eps):
    return (gain(weight, var, eps) * max(largest(x), 1),)


def norm_forward_scale(length, x, weight, rstd):
    gain = largest(np.ones(1) if weight is None else weight) * largest(rstd)
    return gain * largest(x), rms(x) / np.sqrt(length), 0.0


def group_norm_forward_scale(length, x, groups, weight, _bias, eps):
    _, _, rstd = group_norm.group_norm_forward(x, groups, None, None, eps)
    return norm_forward_scale(length, x, weight, rstd)


def norm_backward_scale(length, dy, weight, rstd):
    gain = largest(np.ones(1) if weight is None else weight) * largest(rstd)
    return gain * largest(dy), *(2 * sum_of_one(length, dy))


def loss_scale(length, x, target, _kind, _p, _factor, reduction):
    count = {"none": 1.0, "sum": np.sqrt(x.size), "mean": 1 / np.sqrt(max(x.size, 1))}[reduction]
    return ((largest(x) + largest(target) + 1) ** 2 * count,)
