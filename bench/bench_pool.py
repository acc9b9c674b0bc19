"""bench.bench_pool: pooling, bound by memory: the stem of ResNet, the 2x2 pools of VGG, global average."""

from __future__ import annotations

import numpy as np
import pytest

from bench import check, layers, peers
from fastcnn import kernels
from fastcnn.reference.avg_pool2d import avg_pool2d_forward
from fastcnn.reference.max_pool2d import max_pool2d_backward, max_pool2d_forward
from fastcnn.shapes import pool2d_case

# name: (shape of x, kernel, stride, padding)
MAX = {
    "max 3x3 s2 64@112": ((16, 64, 112, 112), 3, 2, 1),
    "max 2x2 s2 128@56": ((16, 128, 56, 56), 2, 2, 0),
    "max 2x2 s2 6@28": ((64, 6, 28, 28), 2, 2, 0),
}
AVERAGE = {"average 2x2 s2 128@56": ((16, 128, 56, 56), 2, 2, 0), "average 7x7 512@7": ((16, 512, 7, 7), 7, 1, 0)}
SMOKE = ((2, 5, 9, 9), 3, 2, 1)


def pytest_generate_tests(metafunc):
    rows = AVERAGE if "avg" in metafunc.function.__name__ else MAX
    if metafunc.config.getoption("--smoke"):
        rows = dict.fromkeys(list(rows)[:1], SMOKE)
    metafunc.parametrize(("name", "options"), list(rows.items()), ids=list(rows))


def made(options):
    """Return x, dy (channels-last) and the case."""
    shape, kernel, stride, padding = options
    case = pool2d_case(shape, kernel, stride, padding)
    rng = np.random.default_rng(0)
    x, dy = (layers.channels_last(rng.standard_normal(s, np.float32)) for s in (case.x_shape, case.y_shape))
    return x, dy, case


@pytest.mark.benchmark(group="pool")
def test_max_pool2d(name, options, versus, with_peers):
    x, dy, case = made(options)
    y, index = kernels.max_pool2d_forward(x, case)
    wanted, wanted_index = max_pool2d_forward(x, case)
    assert np.array_equal(y, wanted) and np.array_equal(index, wanted_index), name
    others = peers.load("torch_peer").max_pool2d(x, dy, case)[0] if with_peers else {}
    moved = x.nbytes + y.nbytes + index.nbytes
    versus(lambda: kernels.max_pool2d_forward(x, case), others, work={"bytes": moved}, table="Pooling", row=f"{name} forward")


@pytest.mark.benchmark(group="pool")
def test_max_pool2d_backward(name, options, versus, with_peers):
    x, dy, case = made(options)
    index = kernels.max_pool2d_forward(x, case)[1]
    got = kernels.max_pool2d_backward(dy, index, case)
    check.close(got, max_pool2d_backward(dy, index, case), 1e-6, name)
    others = peers.load("torch_peer").max_pool2d(x, dy, case)[1] if with_peers else {}
    moved = x.nbytes + dy.nbytes + index.nbytes
    run = lambda: kernels.max_pool2d_backward(dy, index, case)  # noqa: E731
    versus(run, others, work={"bytes": moved}, table="Pooling", row=f"{name} backward")


@pytest.mark.benchmark(group="pool")
def test_avg_pool2d(name, options, versus, with_peers):
    x, dy, case = made(options)
    check.close(kernels.avg_pool2d_forward(x, case), avg_pool2d_forward(x, case), 1e-6, name)
    others = peers.load("torch_peer").avg_pool2d(x, case) if with_peers else {}
    run = lambda: kernels.avg_pool2d_forward(x, case)  # noqa: E731
    versus(run, others, work={"bytes": x.nbytes + dy.nbytes}, table="Pooling", row=f"{name} forward")
