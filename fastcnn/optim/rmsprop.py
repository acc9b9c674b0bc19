"""optim.rmsprop: gradients divided by their running root mean square. Papers: [Tieleman2012], [Graves2013] (centered)."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError
from .optimizer import Optimizer


class RMSprop(Optimizer):
    """v = alpha * v + (1 - alpha) * g^2; param -= lr * g / (sqrt(v) + eps), with g = grad + weight_decay * param.

    Parameters
    ----------
    params : iterable of Tensor or dict
    lr : float
    alpha : float, 0 .. 1
        Weight of the past in the running mean.
    eps, weight_decay : float
    momentum : float
        If above 0: b = momentum * b + g / (sqrt(v) + eps), param -= lr * b.
    centered : bool
        Subtract the square of the running mean of g from v under the root.
    """

    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False):
        super().__init__(
            params, dict(lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum, centered=bool(centered))
        )

    def check(self, options: dict) -> None:
        super().check(options)
        if not 0.0 <= options["alpha"] <= 1.0:
            raise ArgumentError(f"RMSprop: alpha must be between 0 and 1, got {options['alpha']!r}")

    def _update(self, param, grad, state, options):
        alpha = options["alpha"]
        if not state:
            state["square_avg"] = np.zeros_like(param)
        g = grad + options["weight_decay"] * param if options["weight_decay"] else grad
        square = state["square_avg"]
        square *= alpha
        square += (1 - alpha) * (g * g)
        if options["centered"]:
            mean = state.setdefault("grad_avg", np.zeros_like(param))
            mean *= alpha
            mean += (1 - alpha) * g
            root = np.sqrt(square - mean * mean)
        else:
            root = np.sqrt(square)
        root += options["eps"]
        step = np.divide(g, root, out=root)
        if options["momentum"]:
            buffer = state.setdefault("momentum_buffer", np.zeros_like(param))
            buffer *= options["momentum"]
            buffer += step
            param -= options["lr"] * buffer
        else:
            step *= options["lr"]
            param -= step
