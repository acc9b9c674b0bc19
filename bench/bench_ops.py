"""bench.bench_ops: operations with their gradients as called: large ones on all threads, tiny ones for the cost of a call.

The same names stand in peers/torch_ops.py. `forward` needs no gradient; `training` records and goes back.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import fastcnn as fc
from bench import check, layers, peers
from fastcnn import ops, threads

IMAGES, SMALL, ROWS = (16, 64, 56, 56), (128, 64, 14, 14), (4096, 1000)
# name: (function of tensors, shapes of its arguments)
LARGE: dict[str, tuple[Callable, tuple[tuple[int, ...], ...]]] = {
    "group_norm": (lambda x, w, b: ops.group_norm(x, 32, w, b), (IMAGES, (64,), (64,))),
    "layer_norm": (lambda x, w, b: ops.layer_norm(x, w.shape, w, b), ((8192, 768), (768,), (768,))),
    "local_response_norm": (lambda x: ops.local_response_norm(x, 5), (SMALL,)),
    "adaptive_max_pool2d": (lambda x: ops.adaptive_max_pool2d(x, 5), (SMALL,)),
    "interpolate nearest": (lambda x: ops.interpolate(x, scale_factor=2), (SMALL,)),
    "interpolate bilinear": (lambda x: ops.interpolate(x, scale_factor=2, mode="bilinear"), (SMALL,)),
    "maximum": (ops.maximum, (ROWS, ROWS)),
    "where": (lambda x, y: ops.where(x > y, x, y), (ROWS, ROWS)),
    "max": (ops.max, (ROWS,)),
    "softmax": (ops.softmax, (ROWS,)),
    "log_softmax": (ops.log_softmax, (ROWS,)),
    "mse_loss": (ops.mse_loss, (ROWS, ROWS)),
    "l1_loss": (ops.l1_loss, (ROWS, ROWS)),
    "smooth_l1_loss": (ops.smooth_l1_loss, (ROWS, ROWS)),
    "binary_cross_entropy_with_logits": (lambda x, t: ops.binary_cross_entropy_with_logits(x, ops.sigmoid(t)), (ROWS, ROWS)),
    "kl_div": (lambda x, t: ops.kl_div(x, t, log_target=True), (ROWS, ROWS)),
    "soft_cross_entropy": (lambda x, t: ops.soft_cross_entropy(x, t), (ROWS, ROWS)),
}
LABELS = np.arange(4) % 3
TINY: dict[str, tuple[Callable, tuple[tuple[int, ...], ...]]] = {
    "add": (ops.add, ((4, 8), (4, 8))),
    "mul": (ops.mul, ((4, 8), (4, 8))),
    "relu": (ops.relu, ((4, 8),)),
    "linear": (ops.linear, ((4, 8), (3, 8), (3,))),
    "conv2d": (lambda x, w, b: ops.conv2d(x, w, b, padding=1), ((1, 4, 6, 6), (4, 4, 3, 3), (4,))),
    "batch_norm": (lambda x, w, b: ops.batch_norm(x, None, None, w, b, training=True), ((2, 4, 3, 3), (4,), (4,))),
    "max_pool2d": (lambda x: ops.max_pool2d(x, 2), ((1, 4, 6, 6),)),
    "cross_entropy": (lambda x: ops.cross_entropy(x, LABELS), ((4, 3),)),
}
SMOKE = {IMAGES: (2, 64, 5, 5), SMALL: (2, 5, 7, 7), ROWS: (3, 11), (8192, 768): (3, 7), (768,): (7,)}


def arrays(shapes: tuple[tuple[int, ...], ...], smoke: bool) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    drawn = (rng.standard_normal(SMOKE.get(s, s) if smoke else s, np.float32) for s in shapes)
    return [layers.channels_last(a) if a.ndim == 4 else a for a in drawn]


def gradient(shape: tuple[int, ...]) -> np.ndarray:
    """Return what `training` goes back with."""
    return np.asarray(np.random.default_rng(1).standard_normal(shape))


def work(function: Callable, values: list[np.ndarray], training: bool) -> Callable[[], object]:
    """Return the call that is timed; it gives the result, or the gradient of the first argument."""
    tensors = [fc.tensor(a, requires_grad=training) for a in values]
    if not training:
        return lambda: function(*tensors).data
    y = function(*tensors).data
    dy = gradient(y.shape).astype(y.dtype)
    dy = layers.channels_last(dy) if dy.ndim == 4 else dy

    def both():
        for t in tensors:
            t.grad = None
        function(*tensors).backward(dy)
        return tensors[0].grad.data

    return both


def compare(name: str, function: Callable, shapes, training: bool, table: str, versus, smoke: bool, with_peers: bool) -> None:
    values = arrays(shapes, smoke)
    run = work(function, values, training)
    wide = work(function, [a.astype(np.float64) for a in values], training)()
    check.close(np.asarray(run()), np.asarray(wide, dtype=np.float64), 1e-4, name)
    others = {}
    if with_peers:
        others = peers.load("torch_ops").work(name, values, gradient if training else None)
        check.close(next(iter(others.values()))().detach().numpy(), np.asarray(wide, dtype=np.float64), 1e-4, name)
    row = f"{name} {'training' if training else 'forward'}"
    versus(run, others, work={"bytes": sum(a.nbytes for a in values)}, table=table, row=row)


@pytest.mark.benchmark(group="ops")
@pytest.mark.parametrize("training", [False, True], ids=["forward", "training"])
@pytest.mark.parametrize("name", LARGE)
def test_large(name, training, versus, smoke, with_peers):
    compare(name, *LARGE[name], training, "Operations as called", versus, smoke, with_peers)


@pytest.mark.benchmark(group="ops")
@pytest.mark.parametrize("training", [False, True], ids=["forward", "training"])
@pytest.mark.parametrize("name", TINY)
def test_tiny(name, training, versus, smoke, with_peers):
    before = threads.get_num_threads()
    threads.set_num_threads(1)
    try:
        if with_peers:
            peers.require()
        compare(name, *TINY[name], training, "Cost of a call, one thread", versus, smoke, with_peers)
    finally:
        threads.set_num_threads(before)
        if with_peers:
            peers.require()
