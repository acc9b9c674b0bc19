"""optim.rmsprop: gradients divided by their running root mean square. Papers: [Tieleman2012], [Graves2013] (centered)."""

from __future__ import annotations

from ..errors import ArgumentError
from .fused import Fused


class RMSprop(Fused):
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
    maximize : bool
        Climb instead: g = -grad + weight_decay * param.
    """

    rule = "rmsprop"

    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False, *, maximize=False):
        super().__init__(
            params,
            dict(
                lr=lr,
                alpha=alpha,
                eps=eps,
                weight_decay=weight_decay,
                momentum=momentum,
                centered=bool(centered),
                maximize=bool(maximize),
            ),
        )

    def check(self, options: dict) -> None:
        super().check(options)
        if not 0.0 <= options["alpha"] <= 1.0:
            raise ArgumentError(f"RMSprop: alpha must be between 0 and 1, got {options['alpha']!r}")

    def _states(self, options):
        return ("square_avg", "grad_avg" if options["centered"] else None, "momentum_buffer" if options["momentum"] else None)

    def _options(self, options):
        options = {key: options[key] for key in ("lr", "alpha", "eps", "momentum", "weight_decay", "maximize")}
        return {"beta2": options.pop("alpha"), **options}
