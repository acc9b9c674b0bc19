"""ops.bounds: ReLU and ReLU6 that a product applies to its result while it stores it."""

from __future__ import annotations

import math

from ..errors import ArgumentError
from ..kernels import select as kernels


def activation_bounds(op: str, ceiling) -> tuple[float, float]:
    """Return the interval of the activation: inf is ReLU, 6 is ReLU6."""
    if ceiling not in (math.inf, 6):
        raise ArgumentError(f"{op}: ceiling must be None, inf (ReLU) or 6 (ReLU6), got {ceiling!r}")
    return 0.0, float(ceiling)


def activation_gradient(dy, y, bounds: tuple[float, float]):
    """Return dy where the activation, whose result is y, let its argument pass."""
    return kernels.relu_backward(dy, y) if bounds[1] == math.inf else kernels.activation_backward(dy, y, "relu6")
