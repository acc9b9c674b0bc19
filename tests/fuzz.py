"""tests.fuzz: random geometry, boundary values first; a seed and a number name each case."""

from __future__ import annotations

import os

import numpy as np

from fastcnn.errors import FastcnnError
from fastcnn.shapes import conv2d_case, pool2d_case

from .cases import ACTIVATION, LAYOUTS

SIZES = (0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 65)
KERNELS = (1, 2, 3, 5, 7)
MOST_MACS = 1_000_000  # keeps the reference at a few milliseconds; kernels use two threads from 200,000


def count(op: str = "") -> int:
    """Cases per op: FASTCNN_FUZZ, else 100,000 with FASTCNN_STRESS (`make stress`), else 1,000 (convolution) or 400."""
    usual = 1_000 if op.startswith("conv2d") else 400
    return int(os.environ.get("FASTCNN_FUZZ", 100_000 if os.environ.get("FASTCNN_STRESS") else usual))


def _size(rng, low=1, high=65) -> int:
    choices = [n for n in SIZES if low <= n <= high] if rng.random() < 0.7 else range(low, high + 1)
    return int(rng.choice(choices))


def _small(rng, *values):
    return int(rng.choice(values))


def _pair(rng, *values):
    """One int twice as often as two different ones."""
    return _small(rng, *values) if rng.random() < 0.67 else (_small(rng, *values), _small(rng, *values))


def _conv2d(rng):
    groups = _small(rng, 1, 1, 1, 2, 3, 4)
    ci, co = groups * _size(rng, high=65 // groups), groups * _size(rng, high=65 // groups)
    if rng.random() < 0.2:
        groups = ci
        co = ci * _small(rng, 1, 1, 2)
    kh = kw = _small(rng, *KERNELS)
    if rng.random() < 0.25:
        kw = _small(rng, *KERNELS)
    padding = _pair(rng, 0, 0, 1, 1, 2, 3) if rng.random() < 0.8 else tuple(_small(rng, 0, 1, 2, 3) for _ in range(4))
    x_shape = (_small(rng, 0, 1, 1, 2, 3, 5), ci, _size(rng, high=33), _size(rng, high=33))
    case = conv2d_case(x_shape, (co, ci // groups, kh, kw), _pair(rng, 1, 1, 2, 3), padding, _pair(rng, 1, 1, 1, 2, 3), groups)
    # enough of the windows must see the image for the result to say something
    visible = (case.ih * case.iw) / ((case.ih + case.pt + case.pb) * (case.iw + case.pl + case.pr))
    return case if case.macs <= MOST_MACS and visible > 0.5 else None


def _pool2d(rng, dilated):
    kernel = _pair(rng, 1, 2, 2, 3, 3, 5, 7)
    kh, kw = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    padding = (int(rng.integers(0, kh // 2 + 1)), int(rng.integers(0, kw // 2 + 1)))
    case = pool2d_case(
        (_small(rng, 0, 1, 1, 2, 3), _size(rng), _size(rng, high=33), _size(rng, high=33)),
        kernel,
        None if rng.random() < 0.2 else _pair(rng, 1, 2, 2, 3, 8),
        padding,
        _pair(rng, 1, 1, 2, 3) if dilated else 1,
        bool(rng.random() < 0.4),
        bool(rng.random() < 0.5),
    )
    return case if np.prod(case.y_shape) * kh * kw <= MOST_MACS and _sees_the_image(case) else None


def _sees_the_image(case) -> bool:
    """False when dilation steps over the whole image, which has its own test."""
    sides = ((case.ih, case.kh, case.ph, case.dh), (case.iw, case.kw, case.pw, case.dw))
    return all(any(0 <= t * d - p < size for t in range(k)) for size, k, p, d in sides)


def _gemm(rng):
    m, k, n = (_size(rng, low=0, high=130) if rng.random() < 0.9 else int(rng.integers(130, 600)) for _ in range(3))
    return (m, k, n) if m * k * n <= 4 * MOST_MACS else None


def _batch_norm(rng):
    if rng.random() < 0.3:
        return _size(rng, low=4), _size(rng)
    return _small(rng, 1, 2, 3, 5), _size(rng), _size(rng, low=2, high=20), _size(rng, high=20)


def _grouped(rng):
    """(groups, channels)."""
    groups = _small(rng, 1, 1, 2, 3, 4, 8)
    return groups, groups * _size(rng, high=65 // groups)


def _group_norm(rng):
    groups, channels = _grouped(rng)
    return (_small(rng, 0, 1, 2, 3, 5), channels, _size(rng, low=2, high=20), _size(rng, high=20)), groups


def _layer_norm(rng):
    groups, channels = _grouped(rng)
    # a run of one value becomes 0, which has its own test
    return ((_size(rng, low=0), channels), groups) if channels > groups else None


def _adaptive(rng):
    shape = _small(rng, 1, 2, 3), _size(rng), _size(rng, high=20), _size(rng, high=20)
    return shape, ((1, 1) if rng.random() < 0.3 else (_size(rng, high=9), _size(rng, high=9)))


def _relu(rng):
    return tuple(_size(rng, low=0, high=33) for _ in range(_small(rng, 0, 1, 2, 3, 4)))


def _activation(rng):
    kinds = sorted({case[:3] for case in ACTIVATION.values()})
    return (*kinds[int(rng.integers(len(kinds)))], _relu(rng))


def _cross_entropy(rng):
    return _size(rng, low=0), _size(rng, low=1, high=65), _small(rng, 0, 1) / 10


def _soft_cross_entropy(rng):
    return (*_cross_entropy(rng), bool(rng.random() < 0.5), str(rng.choice(("none", "sum", "mean"))), bool(rng.random() < 0.5))


def _softmax(rng):
    return _size(rng, low=0), _size(rng, low=1, high=65), bool(rng.random() < 0.5)


def _loss(rng):
    kind, p, factor = (("square", 0.0, 1.0), ("absolute", 0.0, 1.0), ("huber", 1.5, 0.5), ("logits", 0.0, 1.0))[
        _small(rng, 0, 1, 2, 3)
    ]
    return kind, p, factor, str(rng.choice(("none", "sum", "mean"))), _relu(rng)


def _images(rng):
    return _small(rng, 0, 1, 2), _size(rng), _size(rng, high=33), _size(rng, high=33)


def _interpolate(rng):
    shape, size = _adaptive(rng)
    return shape, size, *(("nearest", False), ("bilinear", False), ("bilinear", True))[_small(rng, 0, 1, 2)]


FAMILIES = {
    "activation": _activation,
    "conv2d": _conv2d,
    "gemm": _gemm,
    "max_pool2d": lambda rng: _pool2d(rng, dilated=True),
    "avg_pool2d": lambda rng: _pool2d(rng, dilated=False),
    "adaptive_avg_pool2d": _adaptive,
    "adaptive_max_pool2d": _adaptive,
    "interpolate": _interpolate,
    "relu": _relu,
    "batch_norm": _batch_norm,
    "batch_norm_max_pool2d": lambda rng: _pool2d(rng, dilated=False),
    "group_norm": _group_norm,
    "softmax": _softmax,
    "loss": _loss,
    "layer_norm": _layer_norm,
    "cross_entropy": _cross_entropy,
    "soft_cross_entropy": _soft_cross_entropy,
    "to": _images,
}


def family(op: str) -> str:
    return next(name for name in sorted(FAMILIES, key=len, reverse=True) if op.startswith(name))


def case(op: str, number: int):
    """Case `number` of the family of `op`; (case, how it is run)."""
    rng = np.random.default_rng((sum(family(op).encode()), number))
    while True:
        try:
            drawn = FAMILIES[family(op)](rng)
        except FastcnnError:  # a kernel that is larger than the image, and the like
            continue
        if drawn is not None:
            break
    how = {
        "count": _small(rng, 1, 2),
        "layout": str(rng.choice(list(LAYOUTS))),
        "optional": bool(rng.random() < 0.7),
        "seed": number,
    }
    how["dtype"], how["values"] = (("float32", "integer"), ("float32", "real"), ("float64", "real"))[_small(rng, 0, 0, 1, 2)]
    return drawn, how
