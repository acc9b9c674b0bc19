"""nn.fusion: batch-norm, residual sum and activation in one pass over memory, where nobody sees what stands between."""

from __future__ import annotations

from ..autograd import is_grad_enabled
from .activation import ReLU, ReLU6
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


def norm_activation(x, norm: Module, activation: Module | None = None, residual=None):
    """Return activation(norm(x) + residual); both may be absent."""
    if isinstance(norm, BatchNorm2d) and fuses(norm, activation):
        ceiling = None if activation is None else CEILINGS[type(activation)]
        return norm.forward(x, ceiling=ceiling, residual=residual)
    y = norm(x)
    if residual is not None:
        y = y + residual
    return y if activation is None else activation(y)
