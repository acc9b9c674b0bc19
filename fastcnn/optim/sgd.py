"""optim.sgd: stochastic gradient descent with momentum. Papers: [Sutskever2013]."""

from __future__ import annotations

from ..errors import ArgumentError
from .fused import Fused


class SGD(Fused):
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
    maximize : bool
        Climb instead: g = -grad + weight_decay * param.
    """

    rule = "sgd"

    def __init__(self, params, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, *, maximize=False):
        super().__init__(
            params,
            dict(
                lr=lr,
                momentum=momentum,
                dampening=dampening,
                weight_decay=weight_decay,
                nesterov=bool(nesterov),
                maximize=bool(maximize),
            ),
        )

    def check(self, options: dict) -> None:
        super().check(options)
        if options["nesterov"] and (options["momentum"] <= 0 or options["dampening"] != 0):
            raise ArgumentError(
                f"SGD: nesterov needs momentum above 0 and dampening 0, got {options['momentum']} and {options['dampening']}"
            )

    def _states(self, options):
        return ("momentum_buffer" if options["momentum"] else None,)

    def _options(self, options):
        return {key: options[key] for key in ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")}
