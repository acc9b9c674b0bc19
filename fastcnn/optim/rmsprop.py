"""optim.rmsprop: gradients divided by their running root mean square. Papers: [Tieleman2012], [Graves2013] (centered)."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError
from ..kernels import update
from ..threads import get_num_threads
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
        wanted = ["square_avg"] + ["grad_avg"] * options["centered"] + ["momentum_buffer"] * bool(options["momentum"])
        for name in wanted:
            if name not in state:
                state[name] = np.zeros_like(param)
        update.rmsprop(
            param,
            grad,
            state["square_avg"],
            state["grad_avg"] if options["centered"] else None,
            state["momentum_buffer"] if options["momentum"] else None,
            lr=options["lr"],
            alpha=options["alpha"],
            eps=options["eps"],
            momentum=options["momentum"],
            weight_decay=options["weight_decay"],
            threads=get_num_threads(),
        )
