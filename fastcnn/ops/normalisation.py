"""ops.normalisation: what the norms share: inputs in the order of memory, parameters checked, averages of statistics."""

from __future__ import annotations

import math

import numpy as np

from ..autograd import Tensor, is_grad_enabled
from ..errors import ArgumentError, ShapeError
from ..kernels import activation, elementwise
from ..kernels import select as kernels
from ..kernels.strided import contiguous
from ..threads import get_num_threads
from .operands import same_dtype


def images(x):
    """(batch, channels, ...) with at least 3 axes -> (batch, channels, height, width), the order of the pixels kept."""
    if x.ndim == 3:
        return x[..., None]
    return x if x.ndim == 4 else x.reshape(*x.shape[:2], math.prod(x.shape[2:-1]), x.shape[-1])


def in_pixel_order(x, last) -> bool:
    """Say whether the normalised axes are those of whole images, which stay in channels-last memory."""
    return x.ndim == 4 and len(last) == 3 and not x.flags.c_contiguous


def rows(x, last, pixels: bool):
    """(..., *last) -> (rows, values), the values in C order, or channels last for whole images."""
    size = math.prod(last)
    if pixels:
        return kernels.to_channels_last(x).transpose(0, 2, 3, 1).reshape(-1, size)
    return contiguous(x).reshape(-1, size)


def flat(parameter, pixels: bool):
    """A weight or bias -> (values,), in the order of `rows`; None stays None."""
    return None if parameter is None else rows(parameter[None], parameter.shape, pixels)[0]


def unflat(values, shape: tuple[int, ...], pixels: bool):
    """The inverse of `rows` and `flat`."""
    if not pixels:
        return values.reshape(shape)
    *batch, channels, height, width = shape
    return values.reshape(*batch, height, width, channels).transpose(*range(len(batch)), -1, -3, -2)


def parameter(op: str, x: Tensor, name: str, value, shape: tuple[int, ...]) -> Tensor | None:
    """Return an optional weight or bias as a Tensor of `shape` and of x's dtype."""
    if value is None:
        return None
    value = same_dtype(op, x, name, value)
    if value.data.shape != shape:
        raise ShapeError(f"{op}: {name} must have shape {shape}, got {value.data.shape} (x.shape={x.data.shape})")
    return value


def one_pass(pool, ceiling, residual, training) -> bool:
    """Whether one kernel does all of a batch-norm up to the maxima over the windows `pool`."""
    if not isinstance(pool, tuple) or len(pool) != 5:
        raise ArgumentError(f"batch_norm: pool must be (kernel_size, stride, padding, dilation, ceil_mode), got {pool!r}")
    alone = ceiling is not None and residual is None and (training or not is_grad_enabled())
    return alone and pool[3] in (1, (1, 1))  # a dilated window may have no tap


def average(running_mean, running_var, statistics, count, momentum, batches) -> None:
    """Let the running averages, if any, follow mean and biased variance of a batch with `count` values per channel."""
    if running_mean is None or running_var is None:
        return
    seen = None if batches is None else batches.data
    for running, statistic, factor in zip((running_mean, running_var), statistics, (1.0, count / (count - 1)), strict=True):
        elementwise.running_average(running.data, statistic, momentum, factor, seen)
        running.version += 1


def unclipped(dy, y, ceiling: float):
    """dy where 0 < y < ceiling, else 0: the gradient before a ReLU."""
    if ceiling == math.inf:
        return kernels.relu_backward(dy, y)
    if ceiling == 6:
        return kernels.activation_backward(dy, y, "relu6")
    kind = y.dtype.type
    return kernels.activation_backward(dy, y, "clamp", float(np.finfo(kind).tiny), float(np.nextafter(kind(ceiling), kind(0))))


def fixed_gradients(dy, x, w, mean, var, case, y, needs):
    """Return (dx, dweight, dbias) of a batch normalisation whose statistics are given, and dy before the ReLU.

    dx = dy weight / sqrt(var + eps); those of weight and bias are as in training.
    """
    threads = get_num_threads()
    if case.ceiling is not None:
        dy = unclipped(dy, y, case.ceiling)
    dx = dw = db = None
    if needs[1] or needs[2]:
        _, dw, db = kernels.batch_norm_backward(dy, x, w, mean, var, case.eps)
    if needs[0]:
        root = activation.plain_forward(elementwise.add(var, case.eps), "sqrt")
        scale = elementwise.div(1.0 if w is None else w, root)
        dx = elementwise.mul(dy, scale.reshape((-1, 1, 1)[: x.ndim - 1]), threads=threads)
    return (dx, dw if needs[1] else None, db if needs[2] else None), dy
