"""optim.nadam: Adam with Nesterov's momentum. Papers: [Dozat2016], [Loshchilov2019] (decoupled decay)."""

from __future__ import annotations

from ..errors import ArgumentError
from .adam import Adam


class NAdam(Adam):
    """Adam whose step looks ahead: param -= lr * (a * g + b * m) / (sqrt(vhat) + eps).

    mu_t = beta1 * (1 - 0.96^(t * momentum_decay) / 2) at step t = 1, 2, ...; a = (1 - mu_t) / (1 - mu_1 ... mu_t) and
    b = mu_(t+1) / (1 - mu_1 ... mu_(t+1)).

    Parameters
    ----------
    params : iterable of Tensor or dict
    lr : float
    betas : (float, float)
    eps, weight_decay, momentum_decay : float
    decoupled_weight_decay : bool
        param *= 1 - lr * weight_decay before each step, instead of weight_decay * param in g.
    maximize : bool
        Climb instead: g = -grad + weight_decay * param.
    """

    rule = "nadam"
    product = True

    def __init__(
        self,
        params,
        lr=2e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0.0,
        momentum_decay=4e-3,
        decoupled_weight_decay=False,
        *,
        maximize=False,
    ):
        options = dict(lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay)
        options |= dict(decoupled_weight_decay=bool(decoupled_weight_decay), maximize=bool(maximize))
        super(Adam, self).__init__(params, options)

    def check(self, options: dict) -> None:
        super().check(options)
        if not 0.0 <= options["momentum_decay"] < float("inf"):
            raise ArgumentError(f"NAdam: momentum_decay must be a finite number of at least 0, got {options['momentum_decay']!r}")

    def _states(self, options):
        return ("exp_avg", "exp_avg_sq")

    def _options(self, options):
        keywords = super()._options(options)
        return {**keywords, "momentum_decay": options["momentum_decay"], "decoupled": options["decoupled_weight_decay"]}
