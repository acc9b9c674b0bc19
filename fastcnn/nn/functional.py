"""nn.functional: the operations under PyTorch's names, for `import fastcnn.nn.functional as F`."""

from __future__ import annotations

from ..autograd import Tensor
from ..errors import ArgumentError, ShapeError
from ..ops import (
    adaptive_avg_pool2d,
    adaptive_max_pool2d,
    avg_pool2d,
    batch_norm,
    binary_cross_entropy_with_logits,
    clamp,
    conv2d,
    conv_transpose2d,
    cross_entropy,
    dropout,
    dropout2d,
    elu,
    gelu,
    group_norm,
    hardsigmoid,
    hardswish,
    huber_loss,
    interpolate,
    kl_div,
    l1_loss,
    layer_norm,
    leaky_relu,
    linear,
    local_response_norm,
    log_softmax,
    max_pool2d,
    mse_loss,
    nll_loss,
    pad,
    relu,
    relu6,
    sigmoid,
    silu,
    smooth_l1_loss,
    softmax,
    softplus,
    tanh,
)
from ..ops.operands import float_tensor, number, same_dtype


def distillation_loss(x, teacher, target=None, *, temperature=4.0, alpha=0.9, label_smoothing=0.0) -> Tensor:
    """Return alpha T^2 KL(softmax(teacher / T) || softmax(x / T)) + (1 - alpha) cross_entropy(x, target). [Hinton2015]

    Parameters
    ----------
    x, teacher : Tensor or array_like, (batch, classes) or (batch, classes, ...)
        Logits of the student and of the teacher, who gets no gradient.
    target : Tensor or array_like, optional
        As in `cross_entropy`; may be left out when alpha is 1.
    temperature : float
        Above 0. T^2 keeps the size of the gradient when it changes.
    alpha : float, 0 .. 1
        Part of the teacher.
    label_smoothing : float
        Of the cross-entropy.

    Returns
    -------
    Tensor, ()
        The mean over the samples.

    Examples
    --------
    >>> import fastcnn.nn.functional as F
    >>> F.distillation_loss([[1.0, 2.0]], [[1.0, 2.0]], alpha=1.0).item()
    0.0
    """
    op = "distillation_loss"
    x = float_tensor(op, "x", x)
    teacher = same_dtype(op, x, "teacher", teacher).detach()
    if x.shape != teacher.shape or x.ndim < 2:
        raise ShapeError(
            f"{op}: x and teacher must be (batch, classes, ...) alike, got x.shape={x.shape}, teacher.shape={teacher.shape}"
        )
    alpha, temperature = number(op, "alpha", alpha, 0, 1), number(op, "temperature", temperature, 0)
    if not temperature:
        raise ArgumentError(f"{op}: temperature must be above 0, got {temperature}")
    if target is None and alpha < 1:
        raise ArgumentError(f"{op}: target is needed when alpha is below 1, got alpha={alpha}")
    log_p, log_q = log_softmax(x / temperature, 1), log_softmax(teacher / temperature, 1)
    rows = x.size // max(x.shape[1], 1)
    loss = kl_div(log_p, log_q, reduction="sum", log_target=True) * (alpha * temperature**2 / max(rows, 1))
    if alpha == 1:
        return loss
    return loss + cross_entropy(x, target, label_smoothing=label_smoothing) * (1 - alpha)


__all__ = [
    "adaptive_avg_pool2d",
    "adaptive_max_pool2d",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy_with_logits",
    "clamp",
    "conv2d",
    "conv_transpose2d",
    "cross_entropy",
    "distillation_loss",
    "dropout",
    "dropout2d",
    "elu",
    "gelu",
    "group_norm",
    "hardsigmoid",
    "hardswish",
    "huber_loss",
    "interpolate",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "local_response_norm",
    "log_softmax",
    "max_pool2d",
    "mse_loss",
    "nll_loss",
    "pad",
    "relu",
    "relu6",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "tanh",
]
