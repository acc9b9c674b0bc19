"""bench.bench_conv2d: every distinct convolution of the chosen networks, three directions, every algorithm that takes it."""

from __future__ import annotations

import numpy as np
import pytest

from bench import check, layers, peers
from fastcnn import kernels

DIRECTIONS = ("forward", "backward_data", "backward_weight")


def pytest_generate_tests(metafunc):
    chosen = layers.chosen(metafunc.config)
    rows = [
        pytest.param(layer, direction, algorithm, id=f"{layer.network}-{layer.name}-{direction}-{algorithm}")
        for layer in chosen
        for direction in DIRECTIONS
        for algorithm in algorithms(layer, direction)
    ]
    metafunc.parametrize(("layer", "direction", "algorithm"), rows)


def arguments(direction: str, x, w, dy, case) -> tuple:
    """Return what the kernel of a direction takes."""
    return {"forward": (x, w, None, case), "backward_data": (dy, w, case), "backward_weight": (dy, x, case)}[direction]


def algorithms(layer: layers.Layer, direction: str) -> list[str]:
    """Return the compiled algorithms that can run a direction of this layer."""
    case = layer.case(1)
    zero = np.zeros(1, np.float32)
    x, w, dy = (np.broadcast_to(zero, shape) for shape in (case.x_shape, case.w_shape, case.y_shape))
    given = arguments(direction, x, w, dy, case)
    return [impl.name for impl in kernels.OPS[f"conv2d_{direction}"] if impl.compiled and impl.accepts(*given)]


@pytest.mark.benchmark(group="conv2d")
def test_conv2d(layer, direction, algorithm, versus, smoke, with_peers):
    case = layer.case(2 if smoke else layers.BATCH.get(layer.network, 16))
    x, w, dy = layers.operands(case)
    function = getattr(kernels, f"conv2d_{direction}")
    given = arguments(direction, x, w, dy, case)

    def ours():
        return function(*given, algorithm=algorithm)

    check.conv2d(direction, ours(), x, w, dy, case, check.TOLERANCE["winograd" if algorithm == "winograd" else "direct"])
    others = {}
    if with_peers:
        others = peers.load("torch_peer").conv2d(direction, x, w, dy, case)
        for other in others.values():
            check.conv2d(direction, other().numpy(), x, w, dy, case, check.TOLERANCE["direct"])
    versus(
        ours,
        others,
        work={"flops": 2 * case.macs},
        table=f"Convolution, {direction.replace('_', ' ')}, {layer.network}, batch {case.batch}",
        row=layer.name,
        algorithm=algorithm,
        count=layer.count,
    )
