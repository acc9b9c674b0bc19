"""bench.bench_memory: what is bound by memory: ReLU, batch-norm, softmax cross-entropy, conversion of layout."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from bench import check, layers, peers
from fastcnn import kernels

SHAPES = {"64@56": (16, 64, 56, 56), "256@14": (16, 256, 14, 14)}
SMOKE = (2, 5, 7, 7)
NAMES = ("relu forward", "relu backward", "batch_norm forward", "batch_norm backward", "NCHW to NHWC", "NHWC to NCHW")
LOGITS = {"1000 classes, batch 64": (64, 1000)}
EPS = 1e-5


class Work(NamedTuple):
    """One row: our call, the bytes that it has to move, and the arrays that a peer takes."""

    run: Callable[[], object]
    bytes: int
    arrays: tuple[np.ndarray, ...]


def images(name: str, shape: tuple[int, ...]) -> Work:
    """Return the work of a row on images of a shape."""
    rng = np.random.default_rng(0)
    x, dy = (layers.channels_last(rng.standard_normal(shape, np.float32)) for _ in range(2))
    weight, bias = (rng.standard_normal(shape[1], np.float32) for _ in range(2))
    y, mean, var = kernels.batch_norm_forward(x, weight, bias, EPS)
    plain = np.ascontiguousarray(x)
    n = x.nbytes
    return {
        "relu forward": Work(lambda: kernels.relu_forward(x), 2 * n, (x,)),
        "relu backward": Work(lambda: kernels.relu_backward(dy, y), 3 * n, (dy, y)),
        # The mean and the variance need x before the first result can be written, so x is read twice.
        "batch_norm forward": Work(lambda: kernels.batch_norm_forward(x, weight, bias, EPS), 3 * n, (x, weight, bias)),
        "batch_norm backward": Work(
            lambda: kernels.batch_norm_backward(dy, x, weight, mean, var, EPS), 5 * n, (dy, x, weight, mean, var)
        ),
        "NCHW to NHWC": Work(lambda: kernels.to_channels_last(plain), 2 * n, (plain,)),
        "NHWC to NCHW": Work(lambda: kernels.to_contiguous(x), 2 * n, (x,)),
    }[name]


def first(result) -> np.ndarray:
    """Return the array, or the first of several."""
    return result[0] if isinstance(result, tuple) else result


def compare(op: str, got, arguments: tuple) -> None:
    """Compare with the reference in float64."""
    wide = tuple(a.astype(np.float64) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a for a in arguments)
    check.close(first(got), first(getattr(kernels, op)(*wide, algorithm="reference")), 1e-5, op)


def check_images(name: str, work: Work) -> None:
    a = work.arrays
    op, arguments = {
        "relu forward": ("relu_forward", a),
        "relu backward": ("relu_backward", a),
        "batch_norm forward": ("batch_norm_forward", (*a, EPS)),
        "batch_norm backward": ("batch_norm_backward", (*a, EPS)),
        "NCHW to NHWC": ("to_channels_last", a),
        "NHWC to NCHW": ("to_contiguous", a),
    }[name]
    compare(op, work.run(), arguments)


@pytest.mark.benchmark(group="memory")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", SHAPES)
def test_images(size, name, versus, smoke, with_peers):
    work = images(name, SMOKE if smoke else SHAPES[size])
    check_images(name, work)
    others = {}
    if with_peers:
        others = peers.load("torch_peer").memory(name, work.arrays, EPS)
        check.close(first(next(iter(others.values()))()).numpy(), first(work.run()).astype(np.float64), 1e-4, name)
    versus(work.run, others, work={"bytes": work.bytes}, table="Bound by memory", row=f"{name} {size}")


@pytest.mark.benchmark(group="memory")
@pytest.mark.parametrize("size", LOGITS)
def test_cross_entropy(size, versus, smoke, with_peers):
    shape = (3, 10) if smoke else LOGITS[size]
    rng = np.random.default_rng(0)
    logits, target = rng.standard_normal(shape, np.float32), rng.integers(0, shape[1], shape[0])

    def run():
        return kernels.cross_entropy_forward(logits, target, 0.0)

    compare("cross_entropy_forward", run(), (logits, target, 0.0))
    others = peers.load("torch_peer").cross_entropy(logits, target) if with_peers else {}
    versus(run, others, work={"bytes": 2 * logits.nbytes}, table="Bound by memory", row=f"cross_entropy forward, {size}")
