"""nn.fusion: convolution, batch-norm, residual sum and activation with fewer passes over memory, where nobody looks between."""

from __future__ import annotations

from ..autograd import is_grad_enabled
from ..ops.operands import Moments
from .activation import ReLU, ReLU6
from .conv import Conv2d
from .module import Module
from .norm import BatchNorm2d

# Activation layers that batch_norm applies itself, and the upper bound of each.
CEILINGS: dict[type[Module], float] = {ReLU: float("inf"), ReLU6: 6.0}


def unseen(module: Module) -> bool:
    """Whether no hook of `module` expects its input or output."""
    return not (module._forward_hooks or module._forward_pre_hooks)


def fuses(norm: Module, activation: Module | None = None) -> bool:
    """Whether the layers run as one operation: in training, or where the tape records nothing, and without hooks."""
    return (
        type(norm) is BatchNorm2d
        and (norm.training or not is_grad_enabled())
        and unseen(norm)
        and (activation is None or (type(activation) in CEILINGS and unseen(activation)))
    )


def measures(conv: Module, norm: Module) -> bool:
    """Whether the convolution takes the statistics that the norm needs while it stores its result: in training, without hooks."""
    return (
        type(conv) is Conv2d
        and isinstance(norm, BatchNorm2d)
        and fuses(norm)
        and (norm.training or norm.running_mean is None)
        and unseen(conv)
    )


def conv_norm(x, conv: Module, norm: Module, activation: Module | None = None, residual=None):
    """Return activation(norm(conv(x)) + residual); the last two may be absent."""
    if not (isinstance(conv, Conv2d) and measures(conv, norm)):
        return norm_activation(conv(x), norm, activation, residual)
    moments = Moments()
    return norm_activation(conv.forward(x, moments=moments), norm, activation, residual, moments)


def norm_activation(x, norm: Module, activation: Module | None = None, residual=None, moments: Moments | None = None):
    """Return activation(norm(x) + residual); both may be absent. `moments` are those of x."""
    if isinstance(norm, BatchNorm2d) and fuses(norm):
        ceiling = None if activation is None or not fuses(norm, activation) else CEILINGS[type(activation)]
        y = norm.forward(x, ceiling, residual, moments)
        return y if activation is None or ceiling is not None else activation(y)
    y = norm(x)
    if residual is not None:
        y = y + residual
    return y if activation is None else activation(y)
