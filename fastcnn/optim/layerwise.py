"""optim.layerwise: a step length for each parameter, for large batches. Papers: [You2017] (LARS), [You2020] (LAMB)."""

from __future__ import annotations

from ..errors import ArgumentError
from .adam import Adam
from .sgd import SGD


class LARS(SGD):
    """SGD along trust * (grad + weight_decay * param).

    trust = trust_coefficient * |param| / (|grad| + weight_decay * |param| + eps), with |.| the norm over one parameter, and 1
    where one of the norms is 0. With momentum b = momentum * b + that, and the step is lr * b: a change of lr acts at once, as
    in SGD.

    Parameters
    ----------
    params : iterable of Tensor or dict
    lr, momentum, dampening, weight_decay : float
    nesterov : bool
    trust_coefficient, eps : float
    exclude_1d : bool
        Parameters with at most one axis (biases, scales of normalisation) take the step of plain SGD: trust 1, no decay.
    maximize : bool
        Climb instead.
    """

    rule = "lars"

    def __init__(
        self,
        params,
        lr=1.0,
        momentum=0.9,
        dampening=0.0,
        weight_decay=0.0,
        nesterov=False,
        *,
        trust_coefficient=1e-3,
        eps=1e-8,
        exclude_1d=True,
        maximize=False,
    ):
        options = dict(lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=bool(nesterov))
        options |= dict(trust_coefficient=trust_coefficient, eps=eps, exclude_1d=bool(exclude_1d), maximize=bool(maximize))
        super(SGD, self).__init__(params, options)

    def check(self, options: dict) -> None:
        super().check(options)
        if not 0.0 < options["trust_coefficient"] < float("inf"):
            raise ArgumentError(
                f"{type(self).__name__}: trust_coefficient must be a finite number above 0, got {options['trust_coefficient']!r}"
            )

    def _options(self, options):
        return {**super()._options(options), "trust_coefficient": options["trust_coefficient"], "eps": options["eps"]}


class LAMB(Adam):
    """param -= lr * |param| / |u| * u, with u = mhat / (sqrt(vhat) + eps) + weight_decay * param from Adam's means.

    |.| is the norm over one parameter; the ratio is 1 where one of the norms is 0.

    Parameters
    ----------
    params : iterable of Tensor or dict
    lr : float
    betas : (float, float)
    eps, weight_decay : float
    exclude_1d : bool
        Parameters with at most one axis (biases, scales of normalisation) take Adam's step: ratio 1, no decay.
    maximize : bool
        Climb instead.
    """

    rule = "lamb"

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-6, weight_decay=1e-2, *, exclude_1d=True, maximize=False):
        options = dict(lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay)
        super(Adam, self).__init__(params, options | dict(exclude_1d=bool(exclude_1d), maximize=bool(maximize)))

    def _states(self, options):
        return ("exp_avg", "exp_avg_sq")
