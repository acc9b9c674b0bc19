"""bench.bench_conv2d: every distinct convolution of the chosen networks, three directions, all algorithms that take it."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from bench import check, layers, peers
from bench.gates import DIRECTIONS
from fastcnn import kernels


def pytest_generate_tests(metafunc):
    rows = [
        pytest.param(layer, batch, direction, id=f"{layer.network}-{layer.name}-b{batch}-{direction}")
        for batch in layers.batches(metafunc.config)
        for layer in layers.chosen(metafunc.config)
        for direction in DIRECTIONS
    ]
    metafunc.parametrize(("layer", "batch", "direction"), rows)


def arguments(direction: str, x: np.ndarray, w: np.ndarray, dy: np.ndarray, case) -> tuple:
    """Return what the kernel of a direction takes."""
    return {"forward": (x, w, None, case), "backward_data": (dy, w, case), "backward_weight": (dy, x, case)}[direction]


@pytest.mark.benchmark(group="conv2d")
def test_conv2d(layer, batch, direction, versus, with_peers):
    case = layer.case(batch)
    x, w, dy = layers.operands(case)
    op, given = f"conv2d_{direction}", arguments(direction, x, w, dy, case)
    function = getattr(kernels, op)
    names = [impl.name for impl in kernels.OPS[op] if impl.compiled and impl.accepts(*given)]
    runs = {name: partial(function, *given, algorithm=name) for name in names}
    for name, run in runs.items():
        check.conv2d(direction, run(), x, w, dy, case, check.tolerance(name, direction, case))
    others = {}
    if with_peers:
        others = peers.load("torch_peer").conv2d(direction, x, w, dy, case)
        for other in others.values():
            check.conv2d(direction, other().numpy(), x, w, dy, case, check.tolerance("direct", direction, case))
    chosen = kernels.choose(op, given).name
    versus(
        partial(function, *given),
        others,
        {name: run for name, run in runs.items() if name != chosen},
        work={"flops": 2 * case.macs, "bytes": x.nbytes + w.nbytes + dy.nbytes},
        table=f"Convolution, {direction.replace('_', ' ')}, {layer.network}, batch {batch}",
        row=layer.name,
        algorithm=chosen,
        count=layer.count,
        network=layer.network,
        direction=direction,
        batch=batch,
    )
