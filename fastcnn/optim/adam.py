"""optim.adam: Adam and AdamW. Papers: [Kingma2015], [Loshchilov2019] (decoupled decay), [Reddi2018] (amsgrad)."""

from __future__ import annotations

from ..errors import ArgumentError
from .fused import Fused


class Adam(Fused):
    """m, v: running means of g and g^2; param -= lr * mhat / (sqrt(vhat) + eps), with g = grad + weight_decay * param.

    mhat = m / (1 - beta1^t), vhat = v / (1 - beta2^t) at step t = 1, 2, ...

    Parameters
    ----------
    params : iterable of Tensor or dict
    lr : float
    betas : (float, float)
    eps, weight_decay : float
    amsgrad : bool
        Use the largest v so far.
    maximize : bool
        Climb instead: g = -grad + weight_decay * param.
    """

    rule = "adam"
    counted = True
    decoupled = False

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False, *, maximize=False):
        super().__init__(
            params,
            dict(lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay, amsgrad=bool(amsgrad), maximize=bool(maximize)),
        )

    def check(self, options: dict) -> None:
        super().check(options)
        betas = options["betas"]
        if len(betas) != 2 or not all(0.0 <= beta < 1.0 for beta in betas):
            raise ArgumentError(f"{type(self).__name__}: betas must be two numbers from 0 to below 1, got {betas!r}")

    def _states(self, options):
        return ("exp_avg", "exp_avg_sq", "max_exp_avg_sq" if options["amsgrad"] else None)

    def _options(self, options):
        beta1, beta2 = options["betas"]
        options = {key: options[key] for key in ("lr", "eps", "weight_decay", "maximize")}
        return {"beta1": beta1, "beta2": beta2, "decoupled": self.decoupled, **options}


class AdamW(Adam):
    """Adam with decoupled weight decay: param *= 1 - lr * weight_decay before each update. [Loshchilov2019]"""

    decoupled = True

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *, maximize=False):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)
