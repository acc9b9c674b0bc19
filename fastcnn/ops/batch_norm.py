"""ops.batch_norm: normalisation per channel. Kernels: batch_norm_forward, _backward, _inference. Papers: [Ioffe2015]."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..autograd import Tensor, record
from ..errors import ArgumentError, ShapeError
from ..kernels import select as kernels
from .operands import float_tensor, number, same_dtype


class BatchNormCase(NamedTuple):
    """Options of one normalisation; the running statistics are the tensors of the layer, for readers of the graph."""

    training: bool
    eps: float
    running_mean: Tensor | None
    running_var: Tensor | None
    relu: bool = False


def batch_norm(
    x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5, *, relu=False
) -> Tensor:
    """Return y = weight * (x - mean) / sqrt(var + eps) + bias for each channel (axis 1), then max(y, 0) if `relu`.

    Parameters
    ----------
    x : Tensor or array_like, (batch, channels) or (batch, channels, height, width)
        float32 or float64.
    running_mean, running_var : Tensor or array_like, (channels,), or None
        Used as mean and var when not training. In training they are updated in place:
        running = (1 - momentum) * running + momentum * statistic, with the unbiased variance.
    weight, bias : Tensor or array_like, (channels,), optional
    training : bool
        Use the mean and (biased) variance of this batch.
    momentum, eps : float
    relu : bool
        Apply ReLU in the same pass over memory; needs `training`.

    Raises
    ------
    ShapeError
        If sizes do not agree, or a training batch has only one value per channel.
    """
    x = float_tensor("batch_norm", "x", x)
    shape = x.data.shape
    if len(shape) not in (2, 4):
        raise ShapeError(f"batch_norm: x must have 2 or 4 axes (batch, channels, ...), got x.shape={shape}")
    named = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    for name, value in named.items():
        if value is not None:
            value = named[name] = same_dtype("batch_norm", x, name, value)
            if value.data.shape != (shape[1],):
                raise ShapeError(f"batch_norm: {name} must have shape ({shape[1]},), got {value.data.shape} (x.shape={shape})")
    running_mean, running_var, weight, bias = named.values()
    eps, momentum = number("batch_norm", "eps", eps, 0), number("batch_norm", "momentum", momentum, 0, 1)
    if training and x.data.size == shape[1]:
        raise ShapeError(f"batch_norm: training needs more than one value per channel (x.shape={shape})")
    if not training and (running_mean is None or running_var is None):
        raise ArgumentError("batch_norm: without training, running_mean and running_var are needed")
    if relu and not training:
        raise ArgumentError("batch_norm: relu=True needs training=True")
    case = BatchNormCase(bool(training), eps, running_mean, running_var, bool(relu))
    y, saved = _forward(x.data, None if weight is None else weight.data, None if bias is None else bias.data, case)
    if training and running_mean is not None and running_var is not None and x.data.size:
        count = x.data.size // shape[1]
        unbiased = saved[3] * saved[3].dtype.type(count / (count - 1))
        for running, statistic in ((running_mean, saved[2]), (running_var, unbiased)):
            running.data += running.data.dtype.type(momentum) * (statistic - running.data)
            running.version += 1
    return record("batch_norm", (x, weight, bias), y, _backward, saved, case)


def _forward(x, w, b, case):
    if not case.training:
        mean, var = case.running_mean.data, case.running_var.data
        return kernels.batch_norm_inference(x, w, b, mean, var, case.eps), (x, w, mean, var, b)
    y, mean, var = kernels.batch_norm_forward(x, w, b, case.eps, relu=case.relu)
    return y, (x, w, mean, var, b)


def _backward(dy, saved, case, needs):
    x, w, mean, var, b = saved
    if case.training:
        return kernels.batch_norm_backward(dy, x, w, mean, var, case.eps, bias=b, relu=case.relu)
    along = (-1, 1, 1)[: x.ndim - 1]  # (channels,) -> broadcast against x
    over = (0, 2, 3)[: x.ndim - 1]
    rstd = 1 / np.sqrt(var + x.dtype.type(case.eps))
    scale = rstd if w is None else rstd * w
    return (
        dy * scale.reshape(along) if needs[0] else None,
        (dy * (x - mean.reshape(along))).sum(axis=over) * rstd if needs[1] else None,
        dy.sum(axis=over) if needs[2] else None,
    )
