"""ops.batch_norm: normalisation per channel. Papers: [Ioffe2015].

Kernels: batch_norm_forward, _backward, _inference; with max-pooling behind it batch_norm_max_pool2d_forward, ...
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from ..autograd import Pair, Tensor, is_grad_enabled, is_recomputing, record, takes_pairs
from ..errors import ArgumentError, ShapeError
from ..kernels import elementwise
from ..kernels import select as kernels
from ..shapes import Pool2dCase, pool2d_case
from ..threads import get_num_threads
from .max_pool2d import max_pool2d
from .normalisation import average, fixed_gradients, one_pass
from .operands import float_tensor, number, same_dtype


class BatchNormCase(NamedTuple):
    """Options of one normalisation; the running statistics are the tensors of the layer, for readers of the graph."""

    training: bool
    eps: float
    running_mean: Tensor | None
    running_var: Tensor | None
    ceiling: float | None = None
    pool: Pool2dCase | None = None


_known_case = lru_cache(maxsize=4096, typed=True)(pool2d_case)


def batch_norm(
    x,
    running_mean,
    running_var,
    weight=None,
    bias=None,
    training=False,
    momentum=0.1,
    eps=1e-5,
    *,
    batches=None,
    ceiling=None,
    residual=None,
    moments=None,
    pool=None,
) -> Tensor:
    """Return y = weight * (x - mean) / sqrt(var + eps) + bias for each channel (axis 1), plus `residual`, ReLU if asked for.

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
    batches : Tensor, int64 of one element, optional
        Batches so far with this one: 1 / batches takes the place of momentum, the averages weigh all batches equally.
    ceiling : float, optional
        Return min(max(y, 0), ceiling), computed in the same pass over memory: inf is ReLU, 6 is ReLU6. The gradient passes
        where 0 < y < ceiling.
    residual : Tensor or array_like, like x, optional
        Added to y in the same pass, before the ReLU.
    moments : Moments, optional
        Of x, from the convolution that made it: in training x is then read once less.
    pool : tuple (kernel_size, stride, padding, dilation, ceil_mode), optional
        Return max_pool2d(y, *pool). Behind a ReLU (`ceiling`), without residual and dilation, and in training or where nothing is
        recorded, that is the same pass over memory: y itself is not made.

    Raises
    ------
    ShapeError
        If sizes do not agree, or a training batch has only one value per channel.
    ArgumentError
        If running statistics are missing without `training`, `ceiling` is not above zero, or `pool` has other than five entries.
    """
    if pool is not None and not one_pass(pool, ceiling, residual, training):
        options = {"batches": batches, "ceiling": ceiling, "residual": residual, "moments": moments}
        return max_pool2d(batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps, **options), *pool)
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
    if ceiling is not None and not ceiling > 0:
        raise ArgumentError(f"batch_norm: ceiling must be above 0, got {ceiling!r}")
    if residual is not None:
        residual = same_dtype("batch_norm", x, "residual", residual)
        if residual.data.shape != shape:
            raise ShapeError(f"batch_norm: residual must have x.shape={shape}, got {residual.data.shape}")
    windows = None if pool is None else _known_case(shape, *pool)
    case = BatchNormCase(bool(training), eps, running_mean, running_var, None if ceiling is None else float(ceiling), windows)
    w, b, r = (None if t is None else t.data for t in (weight, bias, residual))
    need = is_grad_enabled() and any(t is not None and t.requires_grad for t in (x, weight, bias))
    y, saved = _forward(x.data, w, b, r, case, None if moments is None else moments.values, need)
    if training and x.data.size and not is_recomputing():
        average(running_mean, running_var, saved[2:4], x.data.size // shape[1], momentum, batches)
    inputs = (x, weight, bias) if residual is None else (x, weight, bias, residual)
    return record("batch_norm", inputs, y, _backward, saved, case)


def _forward(x, w, b, residual, case, moments=None, need_index=True):
    mean, var = (None, None) if case.training else (case.running_mean.data, case.running_var.data)
    if case.pool is not None:
        options = {"ceiling": case.ceiling}
        if not case.training:
            return kernels.batch_norm_max_pool2d_inference(x, w, b, mean, var, case.eps, case.pool, **options), ()
        options |= {"moments": moments, "need_index": need_index}
        y, mean, var, winners, index = kernels.batch_norm_max_pool2d_forward(x, w, b, case.eps, case.pool, **options)
        return y, (x, w, mean, var, b, winners, index)
    options = {} if case.ceiling is None else {"relu": True, "ceiling": case.ceiling}
    if residual is not None:
        options["residual"] = residual
    if case.training:
        y, mean, var = kernels.batch_norm_forward(x, w, b, case.eps, moments=moments, **options)
    else:
        y = kernels.batch_norm_inference(x, w, b, mean, var, case.eps, **options)
    # Behind a ReLU the mask is computed again from x, except where y holds more than x tells.
    kept = y if case.ceiling is not None and (residual is not None or not case.training) else None
    return y, (x, w, mean, var, b, kept)


@takes_pairs
def _backward(dy, saved, case, needs):
    dy, also = dy if isinstance(dy, Pair) else (dy, None)
    if also is not None and (case.pool is not None or not case.training):
        dy = elementwise.add(dy, also, threads=get_num_threads())
    if case.pool is not None:
        *given, b, winners, index = saved
        return kernels.batch_norm_max_pool2d_backward(
            dy, *given, case.eps, winners, index, case.pool, bias=b, ceiling=case.ceiling
        )
    x, w, mean, var, b, y = saved
    if case.training:
        options: dict = {"also": also}
        if case.ceiling is not None:
            options |= {"bias": b, "relu": True, "ceiling": case.ceiling, "y": y}
        dx, dw, db, *behind = kernels.batch_norm_backward(dy, x, w, mean, var, case.eps, **options)
        return (dx, dw, db) if len(needs) == 3 else (dx, dw, db, *(behind or (dy,)))
    gradients, dy = fixed_gradients(dy, x, w, mean, var, case, y, needs)
    return gradients if len(needs) == 3 else (*gradients, dy)
