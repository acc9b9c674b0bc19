"""tests.problems: for each op, the arguments that a case stands for, the length of its sums, and what may be exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fastcnn.ops.resampling import taps
from fastcnn.reference import (
    activation,
    adaptive_max_pool2d,
    avg_pool2d,
    batch_norm,
    batch_norm_max_pool2d,
    group_norm,
    max_pool2d,
)

from .loss_arguments import (
    cross_entropy_backward,
    loss_backward,
    soft_cross_entropy_backward,
    soft_cross_entropy_forward,
    softmax_backward,
)
from .scales import (
    batch_norm_backward_scale,
    batch_norm_forward_scale,
    batch_norm_inference_scale,
    group_norm_forward_scale,
    largest,
    loss_scale,
    norm_backward_scale,
    rms,
    sum_of_one,
    sum_of_products,
)

EPS = 1e-5  # of batch_norm


class Draw:
    """Random arrays of one dtype: "real" is standard normal, "integer" is -4..4 without zero (so that sums stay exact)."""

    def __init__(self, dtype, values: str, seed: int, optional: bool = True):
        self.dtype, self.values, self.optional = np.dtype(dtype), values, optional
        self.rng = np.random.default_rng(seed)

    def __call__(self, shape):
        if self.values == "real":
            return self.rng.standard_normal(shape).astype(self.dtype)
        return (self.rng.integers(1, 5, shape) * self.rng.choice((-1, 1), shape)).astype(self.dtype)

    def or_none(self, shape):
        """An optional argument: an array, or None when the case is run without them."""
        return self(shape) if self.optional else None

    def labels(self, count: int, classes: int):
        return self.rng.integers(0, classes, count)


class Problem(NamedTuple):
    """How an op is tested.

    `arguments(case, draw)`; `length(case)` of its longest sum; `exact(case)`: integers come out exact; `scatters`: for ops
    that scatter, the least share of the values they send that must arrive as something other than zero; `scale(length,
    *args)`: the magnitude of each output before cancellation, to which rounding is proportional.
    """

    arguments: Callable
    length: Callable
    exact: Callable = lambda case: False
    scatters: float = 0.0
    scale: Callable = lambda length, *args: ()


def _always(_case) -> bool:
    return True


def _area(case) -> int:
    return case.kh * case.kw


def _max_pool_backward(case, draw):
    _, index = max_pool2d.max_pool2d_forward(draw(case.x_shape), case)
    return draw(case.y_shape), index, case


def _adaptive_max_pool_backward(case, draw):
    x_shape, out_size = case
    _, index = adaptive_max_pool2d.adaptive_max_pool2d_forward(draw(x_shape), out_size)
    return draw((*x_shape[:2], *out_size)), index, x_shape


def _tables(case):
    x_shape, out_size, mode, align = case
    return tuple(taps(n, count, mode, align, None) for n, count in zip(x_shape[2:], out_size, strict=True))


def _divides_exactly(case) -> bool:
    """True when every divisor is a power of two, so that a mean of integers has one right answer in any order."""
    divisors = avg_pool2d._divisor(case)
    return bool(((divisors & (divisors - 1)) == 0).all())


def _adaptive_length(case) -> int:
    (_, _, ih, iw), (oh, ow) = case
    return (ih // oh + 2) * (iw // ow + 2)


def _activation_backward(case, draw):
    kind, p, q, shape = case
    x = draw(shape)
    saved = activation.activation_forward(x, kind, p, q) if kind in ("sigmoid", "tanh") else x
    return draw(shape), saved, kind, p, q


def _batch_norm_backward(shape, draw):
    x, weight = draw(shape), draw.or_none(shape[1])
    _, mean, var = batch_norm.batch_norm_forward(x, None, None, EPS)
    return draw(shape), x, weight, mean, var, EPS


def _batch_norm_inference(shape, draw):
    return draw(shape), draw.or_none(shape[1]), draw.or_none(shape[1]), draw(shape[1]), abs(draw(shape[1])), EPS


def _norm_pool_backward(case, draw):
    x, weight = draw(case.x_shape), draw.or_none(case.channels)
    _, mean, var, winners, index = batch_norm_max_pool2d.batch_norm_max_pool2d_forward(x, weight, None, EPS, case)
    return draw(case.y_shape), x, weight, mean, var, EPS, winners, index, case


def _group_norm_forward(case, draw):
    (shape, groups), c = case, case[0][1]
    return draw(shape), groups, draw.or_none(c), draw.or_none(c), EPS


def _group_norm_backward(case, draw):
    (shape, groups), x = case, draw(case[0])
    _, mean, rstd = group_norm.group_norm_forward(x, groups, None, None, EPS)
    return draw(shape), x, groups, draw.or_none(shape[1]), mean, rstd


def _layer_norm_backward(case, draw):
    dy, x, groups, weight, mean, rstd = _group_norm_backward(case, draw)
    return dy, x, weight, mean, rstd, groups


def _values_per_group(case) -> int:
    """Of the longest sum: over a group, or over all images for the gradients of weight and bias."""
    (batch, channels, *pixels), groups = case
    return max(channels // groups, batch, 1) * int(np.prod(pixels))


def _values_per_channel(shape) -> int:
    return max(int(np.prod(shape)) // shape[1], 1)


PROBLEMS: dict[str, Problem] = {
    "conv2d_forward": Problem(
        lambda c, draw: (draw(c.x_shape), draw(c.w_shape), draw.or_none((c.co,)), c),
        lambda c: c.w_shape[1] * _area(c) + 1,
        _always,
        scale=sum_of_products,
    ),
    "conv2d_backward_data": Problem(
        lambda c, draw: (draw(c.y_shape), draw(c.w_shape), c),
        lambda c: c.co // c.groups * _area(c),
        _always,
        scatters=0.1,
        scale=sum_of_products,
    ),
    "conv2d_backward_weight": Problem(
        lambda c, draw: (draw(c.y_shape), draw(c.x_shape), c),
        lambda c: c.batch * c.oh * c.ow,
        _always,
        scale=sum_of_products,
    ),
    "conv2d_backward_bias": Problem(
        lambda c, draw: (draw(c.y_shape),), lambda c: c.batch * c.oh * c.ow, _always, scale=sum_of_one
    ),
    "gemm": Problem(
        lambda c, draw: (draw((c[0], c[1])), draw((c[1], c[2])), draw.or_none((c[2],))),
        lambda c: c[1] + 1,
        _always,
        scale=sum_of_products,
    ),
    "max_pool2d_forward": Problem(lambda c, draw: (draw(c.x_shape), c), lambda c: 1, _always),
    "max_pool2d_backward": Problem(_max_pool_backward, _area, _always, scatters=0.05),
    "avg_pool2d_forward": Problem(
        lambda c, draw: (draw(c.x_shape), c), _area, _divides_exactly, scale=lambda length, x, c: (rms(x),)
    ),
    "avg_pool2d_backward": Problem(lambda c, draw: (draw(c.y_shape), c), _area, _divides_exactly, scatters=0.1, scale=sum_of_one),
    "adaptive_avg_pool2d_forward": Problem(
        lambda c, draw: (draw(c[0]), c[1]), _adaptive_length, scale=lambda length, x, c: (rms(x),)
    ),
    "adaptive_avg_pool2d_backward": Problem(lambda c, draw: (draw((*c[0][:2], *c[1])), c[0]), _adaptive_length, scale=sum_of_one),
    "adaptive_max_pool2d_forward": Problem(lambda c, draw: (draw(c[0]), c[1]), lambda c: 1, _always),
    "adaptive_max_pool2d_backward": Problem(_adaptive_max_pool_backward, _adaptive_length, _always, scatters=0.05),
    "interpolate_forward": Problem(
        lambda c, draw: (draw(c[0]), _tables(c)), lambda c: 4, scale=lambda length, x, *_: (largest(x),)
    ),
    "interpolate_backward": Problem(
        lambda c, draw: (draw((*c[0][:2], *c[1])), _tables(c), c[0][2:]),
        lambda c: 4 * (c[1][0] // c[0][2] + 2) * (c[1][1] // c[0][3] + 2),
        scatters=0.05,
        scale=sum_of_one,
    ),
    "relu_forward": Problem(lambda c, draw: (draw(c),), lambda c: 1, _always),
    "relu_backward": Problem(lambda c, draw: (draw(c), np.maximum(draw(c), 0)), lambda c: 1, _always),
    "activation_forward": Problem(lambda c, draw: (draw(c[3]), *c[:3]), lambda c: 1),
    "activation_backward": Problem(_activation_backward, lambda c: 1, scale=lambda length, dy, *_: (largest(dy),)),
    "batch_norm_forward": Problem(
        lambda c, draw: (draw(c), draw.or_none(c[1]), draw.or_none(c[1]), EPS),
        _values_per_channel,
        scale=batch_norm_forward_scale,
    ),
    "batch_norm_backward": Problem(_batch_norm_backward, _values_per_channel, scale=batch_norm_backward_scale),
    "batch_norm_inference": Problem(
        _batch_norm_inference,
        lambda c: 2,
        scale=batch_norm_inference_scale,
    ),
    "batch_norm_max_pool2d_forward": Problem(
        lambda c, draw: (draw(c.x_shape), draw.or_none(c.channels), draw.or_none(c.channels), EPS, c),
        lambda c: _values_per_channel(c.x_shape),
        scale=lambda length, *args: batch_norm_forward_scale(length, *args[:4]),
    ),
    "batch_norm_max_pool2d_backward": Problem(
        _norm_pool_backward,
        lambda c: _values_per_channel(c.x_shape),
        scale=lambda length, *args: batch_norm_backward_scale(length, *args[:6]),
    ),
    "batch_norm_max_pool2d_inference": Problem(
        lambda c, draw: (*_batch_norm_inference(c.x_shape, draw), c),
        lambda c: 2,
        scale=lambda length, *args: batch_norm_inference_scale(length, *args[:6]),
    ),
    "group_norm_forward": Problem(_group_norm_forward, _values_per_group, scale=group_norm_forward_scale),
    "group_norm_backward": Problem(
        _group_norm_backward,
        _values_per_group,
        scale=lambda length, dy, x, groups, weight, mean, rstd: norm_backward_scale(length, dy, weight, rstd),
    ),
    "layer_norm_forward": Problem(
        lambda c, draw: (draw(c[0]), draw.or_none(c[0][1]), draw.or_none(c[0][1]), EPS, c[1]),
        _values_per_group,
        scale=lambda length, x, weight, bias, eps, groups: group_norm_forward_scale(length, x, groups, weight, bias, eps),
    ),
    "layer_norm_backward": Problem(
        _layer_norm_backward,
        _values_per_group,
        scale=lambda length, dy, x, weight, mean, rstd, groups: norm_backward_scale(length, dy, weight, rstd),
    ),
    "softmax_forward": Problem(
        lambda c, draw: (3 * draw(c[:2]), c[2]), lambda c: c[1], scale=lambda length, x, logarithm: (largest(x),)
    ),
    "softmax_backward": Problem(softmax_backward, lambda c: c[1], scale=lambda length, dy, y, logarithm: (largest(dy),)),
    "loss_forward": Problem(
        lambda c, draw: (draw(c[4]), draw(c[4]), *c[:4]),
        lambda c: max(int(np.prod(c[4])), 1) if c[3] != "none" else 1,
        scale=loss_scale,
    ),
    "loss_backward": Problem(
        loss_backward,
        lambda c: 1,
        scale=lambda length, dy, x, target, *_: (2 * (largest(x) + largest(target) + 1) * largest(dy) / max(x.size, 1),),
    ),
    "cross_entropy_forward": Problem(
        lambda c, draw: (3 * draw(c[:2]), draw.labels(*c[:2]), c[2]),
        lambda c: c[1],
        scale=lambda length, logits, *_: (largest(logits),),
    ),
    "cross_entropy_backward": Problem(
        cross_entropy_backward,
        lambda c: c[1],
        scale=lambda length, dloss, *_: (largest(dloss),),
    ),
    "soft_cross_entropy_forward": Problem(
        soft_cross_entropy_forward,
        lambda c: c[1],
        scale=lambda length, x, target, weight, smoothing, reduction: (
            2 * largest(x) * (1 if weight is None else largest(weight)) * (max(len(x), 1) if reduction == "sum" else 1),
            largest(x),
        ),
    ),
    "soft_cross_entropy_backward": Problem(
        soft_cross_entropy_backward,
        lambda c: c[1],
        scale=lambda length, dloss, x, target, kept, weight, *_: (
            largest(dloss) * (1 if weight is None else largest(weight)) * largest(x),
        ),
    ),
    "to_channels_last": Problem(lambda c, draw: (draw(c),), lambda c: 1, _always),
    "to_contiguous": Problem(lambda c, draw: (draw(c),), lambda c: 1, _always),
}
