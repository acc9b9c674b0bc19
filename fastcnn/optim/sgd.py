"""optim.sgd: stochastic gradient descent with momentum. Papers: [Sutskever2013]."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError
from ..kernels import update
from ..threads import get_num_threads
from .optimizer import Optimizer


class SGD(Optimizer):
    """param -= lr * d, with d from the gradient g = grad + weight_decay * param.

    Without momentum d = g. With it b = momentum * b + (1 - dampening) * g (the first b is g), and d = b, or
    g + momentum * b if `nesterov`.

    Parameters
    ----------
    params : iterable of Tensor or dict
    lr : float
    momentum, dampening, weight_decay : float
    nesterov : bool
        Needs momentum above 0 and dampening 0.
    """

    def __init__(self, params, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False):
        super().__init__(
            params, dict(lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=bool(nesterov))
        )

    def check(self, options: dict) -> None:
        super().check(options)
        if options["nesterov"] and (options["momentum"] <= 0 or options["dampening"] != 0):
            raise ArgumentError(
                f"SGD: nesterov needs momentum above 0 and dampening 0, got {options['momentum']} and {options['dampening']}"
            )

    def _update(self, param, grad, state, options):
        first = options["momentum"] and "momentum_buffer" not in state
        if first:
            state["momentum_buffer"] = np.zeros_like(param)
        update.sgd(
            param,
            grad,
            state["momentum_buffer"] if options["momentum"] else None,
            lr=options["lr"],
            momentum=options["momentum"],
            dampening=options["dampening"],
            weight_decay=options["weight_decay"],
            nesterov=options["nesterov"],
            first=first,
            threads=get_num_threads(),
        )
