"""optim.adam: Adam and AdamW. Papers: [Kingma2015], [Loshchilov2019] (decoupled decay), [Reddi2018] (amsgrad)."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError
from ..kernels import update
from ..threads import get_num_threads
from .optimizer import Optimizer


class Adam(Optimizer):
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
    """

    decoupled = False

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False):
        super().__init__(params, dict(lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay, amsgrad=bool(amsgrad)))

    def check(self, options: dict) -> None:
        super().check(options)
        betas = options["betas"]
        if len(betas) != 2 or not all(0.0 <= beta < 1.0 for beta in betas):
            raise ArgumentError(f"{type(self).__name__}: betas must be two numbers from 0 to below 1, got {betas!r}")

    def _update(self, param, grad, state, options):
        if not state:
            state.update(step=0, exp_avg=np.zeros_like(param), exp_avg_sq=np.zeros_like(param))
        if options["amsgrad"] and "max_exp_avg_sq" not in state:
            state["max_exp_avg_sq"] = np.zeros_like(param)
        state["step"] += 1
        update.adam(
            param,
            grad,
            state["exp_avg"],
            state["exp_avg_sq"],
            state["max_exp_avg_sq"] if options["amsgrad"] else None,
            step=state["step"],
            lr=options["lr"],
            beta1=options["betas"][0],
            beta2=options["betas"][1],
            eps=options["eps"],
            weight_decay=options["weight_decay"],
            decoupled=self.decoupled,
            threads=get_num_threads(),
        )


class AdamW(Adam):
    """Adam with decoupled weight decay: param *= 1 - lr * weight_decay before each update. [Loshchilov2019]"""

    decoupled = True

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)
