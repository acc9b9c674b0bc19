"""bench.bench_gemm: matrix products: a cube, the 1x1 convolutions of ResNet-50 as products, and linear layers."""

from __future__ import annotations

import numpy as np
import pytest

from bench import check, peers
from fastcnn import kernels

# name: (m, n, k); m is the pixels of a batch of 16, n the output channels, k the input channels.
SIZES = {
    "cube-512": (512, 512, 512),
    "1x1-64-256@56": (16 * 56 * 56, 256, 64),
    "1x1-512-128@28": (16 * 28 * 28, 128, 512),
    "1x1-256-1024@14": (16 * 14 * 14, 1024, 256),
    "1x1-2048-512@7": (16 * 7 * 7, 512, 2048),
    "linear-400-120-b64": (64, 120, 400),
    "linear-512-1000-b1": (1, 1000, 512),
}
SMOKE = {"odd": (17, 33, 9), "linear-400-120-b2": (2, 120, 400)}


def pytest_generate_tests(metafunc):
    sizes = SMOKE if metafunc.config.getoption("--smoke") else SIZES
    metafunc.parametrize(("name", "size"), list(sizes.items()), ids=list(sizes))


@pytest.mark.benchmark(group="gemm")
def test_gemm(name, size, versus, with_peers):
    m, n, k = size
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((m, k), np.float32), rng.standard_normal((k, n), np.float32)
    rows = np.unique(np.linspace(0, m - 1, 50, dtype=int))
    wanted = a[rows].astype(np.float64) @ b.astype(np.float64)
    check.close(kernels.gemm(a, b)[rows], wanted, check.TOLERANCE["direct"], name)
    others = {}
    if with_peers:
        others = peers.load("torch_peer").gemm(a, b)
    versus(lambda: kernels.gemm(a, b), others, work={"flops": 2 * m * n * k}, table="GEMM", row=f"{name} ({m} x {n} x {k})")
