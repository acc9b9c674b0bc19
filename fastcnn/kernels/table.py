"""kernels.table: the implementations of each operation, best first, reference last."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as _np

from ..reference import activation as _act
from ..reference import adaptive_avg_pool2d as _bins
from ..reference import adaptive_max_pool2d as _adaptive_max
from ..reference import avg_pool2d as _avg
from ..reference import batch_norm as _bn
from ..reference import batch_norm_max_pool2d as _bn_max
from ..reference import conv2d as _conv
from ..reference import cross_entropy as _ce
from ..reference import gemm as _gemm
from ..reference import group_norm as _group
from ..reference import interpolate as _interpolate
from ..reference import layer_norm as _layer
from ..reference import layout as _layout
from ..reference import loss as _loss
from ..reference import max_pool2d as _max
from ..reference import relu as _relu
from ..reference import soft_cross_entropy as _soft
from ..reference import softmax as _softmax
from . import activation as _act_compiled
from . import avg_pool2d as _avg_fast
from . import batch_norm as _bn_compiled
from . import batch_norm_max_pool2d as _bn_max_compiled
from . import columns as _columns
from . import conv2d_batch as _batch
from . import conv2d_depthwise as _depthwise
from . import conv2d_depthwise_weight as _depthwise_weight
from . import conv2d_direct as _direct
from . import conv2d_direct_weight as _direct_weight
from . import conv2d_narrow as _narrow
from . import conv2d_narrow_weight as _narrow_weight
from . import conv2d_winograd as _winograd
from . import conv2d_winograd_weight as _winograd_weight
from . import cross_entropy as _ce_compiled
from . import entry as _entry
from . import gemm as _gemm_compiled
from . import group_norm as _group_compiled
from . import interpolate as _interpolate_compiled
from . import layer_norm as _layer_compiled
from . import layout as _layout_compiled
from . import loss as _loss_compiled
from . import max_pool2d as _max_compiled
from . import relu as _relu_compiled
from . import soft_cross_entropy as _soft_compiled
from . import softmax as _softmax_compiled
from .call import with_threads as _with_threads
from .winograd import gain as winograd_gain


def _always(*_args) -> bool:
    return True


_FLOAT32 = _np.dtype(_np.float32)  # the usual case is decided without a look inside


def _same_floats(a, b, *_args) -> bool:
    return (a.dtype is _FLOAT32 and b.dtype is _FLOAT32) or (a.dtype.char in "fd" and a.dtype == b.dtype)


def _floats(a, *_args) -> bool:
    return a.dtype is _FLOAT32 or a.dtype.char in "fd"


class Impl(NamedTuple):
    """One implementation of an op.

    `accepts(*args)`: it can compute them; `pays(*args)`: it is worth choosing without being asked for; `compiled`: it takes
    the keyword `threads`; `moments`: a convolution that takes the keyword of this name.
    """

    name: str
    function: Callable
    accepts: Callable[..., bool] = _always
    compiled: bool = False
    pays: Callable[..., bool] = _always
    moments: bool = False

    def run(self, *args, **options):
        """Call the function; a compiled one gets the thread count in force."""
        if self.compiled:
            return _with_threads(self.function, args, options)
        _entry.refuse(f"the reference implementation {self.function.__name__}")
        return self.function(*args, **options)


def _winograd_accepts(a, b, *rest) -> bool:
    return _same_floats(a, b) and _winograd.accepts(rest[-1])


def _winograd_pays(direction: str) -> Callable[..., bool]:
    # At 2x2 pixels the batch kernel takes half of the time of Winograd, from 3x3 on it is the other way round.
    return lambda *args: winograd_gain(args[-1], f"conv2d_{direction}") > 1 and not (args[-1].ih <= 2 and _batch_pays(*args))


def _depthwise_accepts(a, b, *rest) -> bool:
    return _same_floats(a, b) and _depthwise.accepts(rest[-1])


def _batch_accepts(a, b, *rest) -> bool:
    return _same_floats(a, b) and _batch.accepts(rest[-1])


def _batch_pays(*args) -> bool:
    """Few pixels, where the taps outside the image are many and a row of pixels does not fill a register tile."""
    c = args[-1]
    return c.batch >= 16 and c.ci >= 16 and c.co >= 16 and c.ih * c.iw <= 16 and c.kh * c.kw > 1


def _narrow_accepts(direction: str) -> Callable[..., bool]:
    if direction == "backward_weight":
        return lambda a, b, *rest: _same_floats(a, b) and _narrow_weight.accepts(rest[-1], a.dtype.itemsize)
    fits = _narrow.accepts if direction == "forward" else _narrow.accepts_data
    return lambda a, b, *rest: _same_floats(a, b) and fits(rest[-1])


def _narrow_pays(direction: str, least: float) -> Callable[..., bool]:
    op, accepts = f"conv2d_{direction}", _narrow_accepts(direction)

    def pays(*args) -> bool:
        case = args[-1]
        if case.kw == 1 or not accepts(*args) or _depthwise.accepts(case) or _batch_pays(*args):
            return False
        winograd = 1.15 * winograd_gain(case, op) if _winograd.accepts(case) else 0.0
        item = args[0].dtype.itemsize
        own = _narrow_weight.gain(case, item) if direction == "backward_weight" else _narrow.gain(case, op, item)
        return own > max(least, winograd)

    return pays


def _reference_only(function) -> tuple[Impl, ...]:
    return (Impl("reference", function),)


def _index_on_demand(reference) -> Callable:
    def run(*args, need_index=True):
        y, index = reference(*args)
        return y, index if need_index else None

    return run


def _finished(reference) -> Callable:
    """The function of the reference with the epilogue of the compiled ones."""

    def run(*args, bounds=None, residual=None):
        y = reference(*args)
        y = y if residual is None else y + residual
        return y if bounds is None else _np.clip(y, *bounds).astype(y.dtype, copy=False)

    return run


def _clipped(y, relu, ceiling):
    return _np.minimum(_relu.relu_forward(y), y.dtype.type(ceiling)) if relu else y


def _batch_norm_reference(x, weight, bias, eps, relu=False, ceiling=float("inf"), residual=None, moments=None):
    y, mean, var = _bn.batch_norm_forward(x, weight, bias, eps)
    y = y if residual is None else y + residual
    return _clipped(y, relu, ceiling), mean, var


def _unclipped(dy, y, ceiling):
    return _np.where(y >= ceiling, dy.dtype.type(0), _relu.relu_backward(dy, y))


def _batch_norm_backward_reference(dy, x, weight, mean, var, eps, bias=None, relu=False, ceiling=float("inf"), y=None, also=None):
    alone = y is None and also is None
    if y is None and relu:
        y = _bn.batch_norm_inference(x, weight, bias, mean, var, eps)
    dy = dy if also is None else dy + also
    dy = dy if y is None else _unclipped(dy, y, ceiling)
    gradients = _bn.batch_norm_backward(dy, x, weight, mean, var, eps)
    return gradients if alone else (*gradients, dy)


def _batch_norm_inference_reference(x, weight, bias, mean, var, eps, relu=False, ceiling=float("inf"), residual=None):
    y = _bn.batch_norm_inference(x, weight, bias, mean, var, eps)
    y = y if residual is None else y + residual
    return _clipped(y, relu, ceiling)


def _batch_norm_max_reference(*args, ceiling=float("inf"), moments=None, need_index=True):
    y, mean, var, winners, index = _bn_max.batch_norm_max_pool2d_forward(*args, ceiling=ceiling)
    return (y, mean, var, winners, index) if need_index else (y, mean, var, None, None)


def _vector_or_reference(vector, reference, accepts=_floats) -> tuple[Impl, ...]:
    return (Impl("vector", vector, accepts, True), Impl("reference", reference))


OPS: dict[str, tuple[Impl, ...]] = {
    "conv2d_forward": (
        Impl("narrow", _narrow.conv2d_narrow_forward, _narrow_accepts("forward"), True, _narrow_pays("forward", 1.15)),
        Impl("winograd", _winograd.conv2d_winograd_forward, _winograd_accepts, True, _winograd_pays("forward"), moments=True),
        Impl("depthwise", _depthwise.conv2d_depthwise_forward, _depthwise_accepts, True, moments=True),
        Impl("batch", _batch.conv2d_batch_forward, _batch_accepts, True, _batch_pays),
        Impl("direct", _direct.conv2d_direct_forward, _same_floats, True, moments=True),
        *_reference_only(_finished(_conv.conv2d_forward)),
    ),
    "conv2d_backward_data": (
        Impl(
            "narrow",
            _narrow.conv2d_narrow_backward_data,
            _narrow_accepts("backward_data"),
            True,
            _narrow_pays("backward_data", 1.15),
        ),
        Impl("winograd", _winograd.conv2d_winograd_backward_data, _winograd_accepts, True, _winograd_pays("backward_data")),
        Impl("depthwise", _depthwise.conv2d_depthwise_backward_data, _depthwise_accepts, True),
        Impl("batch", _batch.conv2d_batch_backward_data, _batch_accepts, True, _batch_pays),
        Impl("direct", _direct.conv2d_direct_backward_data, _same_floats, True),
        *_reference_only(_conv.conv2d_backward_data),
    ),
    "conv2d_backward_weight": (
        Impl(
            "narrow",
            _narrow_weight.conv2d_narrow_backward_weight,
            _narrow_accepts("backward_weight"),
            True,
            _narrow_pays("backward_weight", 1.25),
        ),
        Impl(
            "winograd",
            _winograd_weight.conv2d_winograd_backward_weight,
            _winograd_accepts,
            True,
            _winograd_pays("backward_weight"),
        ),
        Impl("depthwise", _depthwise_weight.conv2d_depthwise_backward_weight, _depthwise_accepts, True),
        Impl("batch", _batch.conv2d_batch_backward_weight, _batch_accepts, True, _batch_pays),
        Impl("direct", _direct_weight.conv2d_direct_backward_weight, _same_floats, True),
        *_reference_only(_conv.conv2d_backward_weight),
    ),
    "conv2d_backward_bias": _vector_or_reference(_columns.conv2d_backward_bias, _conv.conv2d_backward_bias),
    "gemm": (Impl("blocked", _gemm_compiled.gemm, _same_floats, True), *_reference_only(_finished(_gemm.gemm))),
    "max_pool2d_forward": _vector_or_reference(_max_compiled.max_pool2d_forward, _index_on_demand(_max.max_pool2d_forward)),
    "max_pool2d_backward": _vector_or_reference(_max_compiled.max_pool2d_backward, _max.max_pool2d_backward),
    "adaptive_max_pool2d_forward": _vector_or_reference(
        _max_compiled.adaptive_max_pool2d_forward, _index_on_demand(_adaptive_max.adaptive_max_pool2d_forward)
    ),
    "adaptive_max_pool2d_backward": _vector_or_reference(
        _max_compiled.adaptive_max_pool2d_backward, _adaptive_max.adaptive_max_pool2d_backward
    ),
    "avg_pool2d_forward": _vector_or_reference(_avg_fast.avg_pool2d_forward, _avg.avg_pool2d_forward),
    "avg_pool2d_backward": _vector_or_reference(_avg_fast.avg_pool2d_backward, _avg.avg_pool2d_backward),
    "adaptive_avg_pool2d_forward": _vector_or_reference(_avg_fast.adaptive_avg_pool2d_forward, _bins.adaptive_avg_pool2d_forward),
    "adaptive_avg_pool2d_backward": _vector_or_reference(
        _avg_fast.adaptive_avg_pool2d_backward, _bins.adaptive_avg_pool2d_backward
    ),
    "interpolate_forward": _vector_or_reference(_interpolate_compiled.interpolate_forward, _interpolate.interpolate_forward),
    "interpolate_backward": _vector_or_reference(_interpolate_compiled.interpolate_backward, _interpolate.interpolate_backward),
    "relu_forward": _vector_or_reference(_relu_compiled.relu_forward, _relu.relu_forward),
    "relu_backward": _vector_or_reference(_relu_compiled.relu_backward, _relu.relu_backward, _same_floats),
    "activation_forward": _vector_or_reference(_act_compiled.activation_forward, _act.activation_forward),
    "activation_backward": _vector_or_reference(_act_compiled.activation_backward, _act.activation_backward, _same_floats),
    "batch_norm_forward": _vector_or_reference(_bn_compiled.batch_norm_forward, _batch_norm_reference),
    "batch_norm_backward": _vector_or_reference(_bn_compiled.batch_norm_backward, _batch_norm_backward_reference, _same_floats),
    "batch_norm_inference": _vector_or_reference(_bn_compiled.batch_norm_inference, _batch_norm_inference_reference),
    "batch_norm_max_pool2d_forward": _vector_or_reference(
        _bn_max_compiled.batch_norm_max_pool2d_forward, _batch_norm_max_reference
    ),
    "batch_norm_max_pool2d_backward": _vector_or_reference(
        _bn_max_compiled.batch_norm_max_pool2d_backward, _bn_max.batch_norm_max_pool2d_backward, _same_floats
    ),
    "batch_norm_max_pool2d_inference": _vector_or_reference(
        _bn_max_compiled.batch_norm_max_pool2d_inference, _bn_max.batch_norm_max_pool2d_inference
    ),
    "group_norm_forward": _vector_or_reference(_group_compiled.group_norm_forward, _group.group_norm_forward),
    "group_norm_backward": _vector_or_reference(_group_compiled.group_norm_backward, _group.group_norm_backward, _same_floats),
    "layer_norm_forward": _vector_or_reference(_layer_compiled.layer_norm_forward, _layer.layer_norm_forward),
    "layer_norm_backward": _vector_or_reference(_layer_compiled.layer_norm_backward, _layer.layer_norm_backward, _same_floats),
    "softmax_forward": _vector_or_reference(_softmax_compiled.softmax_forward, _softmax.softmax_forward),
    "softmax_backward": _vector_or_reference(_softmax_compiled.softmax_backward, _softmax.softmax_backward, _same_floats),
    "loss_forward": _vector_or_reference(_loss_compiled.loss_forward, _loss.loss_forward, _same_floats),
    "loss_backward": _vector_or_reference(_loss_compiled.loss_backward, _loss.loss_backward, _same_floats),
    "cross_entropy_forward": _vector_or_reference(_ce_compiled.cross_entropy_forward, _ce.cross_entropy_forward),
    "cross_entropy_backward": _vector_or_reference(_ce_compiled.cross_entropy_backward, _ce.cross_entropy_backward, _same_floats),
    "soft_cross_entropy_forward": _vector_or_reference(
        _soft_compiled.soft_cross_entropy_forward, _soft.soft_cross_entropy_forward, _same_floats
    ),
    "soft_cross_entropy_backward": _vector_or_reference(
        _soft_compiled.soft_cross_entropy_backward, _soft.soft_cross_entropy_backward, _same_floats
    ),
    "to_channels_last": _vector_or_reference(_layout_compiled.to_channels_last, _layout.to_channels_last),
    "to_contiguous": _vector_or_reference(_layout_compiled.to_contiguous, _layout.to_contiguous),
}
