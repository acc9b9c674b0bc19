"""optim.adagrad: steps that shrink with the squares of all gradients so far. Papers: [Duchi2011]."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError
from .fused import Fused


class Adagrad(Fused):
    """s = s + g^2; param -= lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps), with g = grad + weight_decay * param.

    t = 1, 2, ... is the number of the step.

    Parameters
    ----------
    params : iterable of Tensor or dict
    lr, lr_decay, weight_decay : float
    initial_accumulator_value : float
        Where s starts.
    eps : float
    maximize : bool
        Climb instead: g = -grad + weight_decay * param.
    """

    rule = "adagrad"
    counted = True

    def __init__(
        self, params, lr=1e-2, lr_decay=0.0, weight_decay=0.0, initial_accumulator_value=0.0, eps=1e-10, *, maximize=False
    ):
        options = dict(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay)
        options |= dict(initial_accumulator_value=initial_accumulator_value, eps=eps, maximize=bool(maximize))
        super().__init__(params, options)

    def check(self, options: dict) -> None:
        super().check(options)
        for key in ("lr_decay", "initial_accumulator_value"):
            if not 0.0 <= options[key] < float("inf"):
                raise ArgumentError(f"Adagrad: {key} must be a finite number of at least 0, got {options[key]!r}")

    def _states(self, options):
        return ("sum",)

    def _new_state(self, name, param, options):
        return np.full_like(param, options["initial_accumulator_value"])

    def _options(self, options):
        return {key: options[key] for key in ("lr", "lr_decay", "weight_decay", "eps", "maximize")}
