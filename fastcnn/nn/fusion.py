"""nn.fusion: convolution, batch-norm, residual sum, activation, pooling with fewer passes over memory, where nobody looks."""

from __future__ import annotations

from ..autograd import is_grad_enabled
from ..ops.operands import Moments
from .activation import ReLU, ReLU6
from .conv import Conv2d
from .linear import Linear
from .module import Module
from .norm import BatchNorm2d
from .pooling import MaxPool2d

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


def pools(norm: Module, activation: Module | None, pool: Module | None) -> bool:
    """Whether the norm takes the activation and the max-pooling behind it into its own pass.

    Not where windows overlap so much that each pixel would be normalised more than four times, nor with fewer channels than a
    vector has lanes: both would take longer.
    """
    if type(pool) is not MaxPool2d or activation is None or not isinstance(norm, BatchNorm2d):
        return False
    (kh, kw), (sh, sw) = (
        size if isinstance(size, tuple) and len(size) == 2 else (size, size) for size in (pool.kernel_size, pool.stride)
    )
    sizes = isinstance(kh, int) and isinstance(kw, int) and isinstance(sh, int) and isinstance(sw, int)
    few = sizes and kh * kw <= 4 * sh * sw and norm.num_features >= 16
    return few and pool.dilation in (1, (1, 1)) and unseen(pool) and fuses(norm, activation)


def stored_ceiling(product: Module, activation: Module | None) -> float | None:
    """The upper bound of an activation that a convolution or linear layer applies in its store, None where it does not.

    The conditions are those of `fuses`.
    """
    if type(product) not in (Conv2d, Linear) or activation is None or type(activation) not in CEILINGS:
        return None
    quiet = unseen(product) and unseen(activation) and (product.training or not is_grad_enabled())
    return CEILINGS[type(activation)] if quiet else None


def pooled_first(modules: list[Module]) -> list[Module]:
    """Exchange each ReLU or ReLU6 with the max-pooling behind it where nobody looks: the same values from fewer elements.

    The largest of a window is the largest after the activation too, and where it is cut the gradient is zero at any of its
    places. A NaN wins either way. Not behind a BatchNorm2d, which takes the activation into its own pass, nor behind what takes
    it into its store where there will be no gradient, whose mask would cost a pass over all elements.
    """
    order = list(modules)
    for i in range(len(order) - 1):
        activation, pool = order[i], order[i + 1]
        if (
            type(pool) is MaxPool2d
            and type(activation) in CEILINGS
            and pool.dilation in (1, (1, 1))  # a dilated window may have no tap: -inf, which the activation must not see
            and not (i and isinstance(order[i - 1], BatchNorm2d))
            and not (i and not is_grad_enabled() and stored_ceiling(order[i - 1], activation) is not None)
            and unseen(activation)
            and unseen(pool)
        ):
            order[i], order[i + 1] = pool, activation
    return order


def measures(conv: Module, norm: Module) -> bool:
    """Whether the convolution takes the statistics that the norm needs while it stores its result: in training, without hooks."""
    return (
        type(conv) is Conv2d
        and isinstance(norm, BatchNorm2d)
        and fuses(norm)
        and (norm.training or norm.running_mean is None)
        and unseen(conv)
    )


def conv_norm(x, conv: Module, norm: Module, activation: Module | None = None, residual=None, pool: Module | None = None):
    """Return pool(activation(norm(conv(x)) + residual)); the last three may be absent."""
    if not (isinstance(conv, Conv2d) and measures(conv, norm)):
        return norm_activation(conv(x), norm, activation, residual, None, pool)
    moments = Moments()
    return norm_activation(conv.forward(x, moments=moments), norm, activation, residual, moments, pool)


def norm_activation(
    x,
    norm: Module,
    activation: Module | None = None,
    residual=None,
    moments: Moments | None = None,
    pool: Module | None = None,
):
    """Return pool(activation(norm(x) + residual)); the last two and the pooling may be absent. `moments` are those of x."""
    if isinstance(norm, BatchNorm2d) and fuses(norm):
        ceiling = None if activation is None or not fuses(norm, activation) else CEILINGS[type(activation)]
        if residual is None and isinstance(pool, MaxPool2d) and pools(norm, activation, pool):
            windows = pool.kernel_size, pool.stride, pool.padding, pool.dilation, pool.ceil_mode
            return norm.forward(x, ceiling, None, moments, windows)
        y = norm.forward(x, ceiling, residual, moments)
        y = y if activation is None or ceiling is not None else activation(y)
    else:
        y = norm(x)
        if residual is not None:
            y = y + residual
        y = y if activation is None else activation(y)
    return y if pool is None else pool(y)
