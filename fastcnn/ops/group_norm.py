"""ops.group_norm: normalisation of groups of channels of each image. Kernels: group_norm_forward, _backward. Papers: [Wu2018]."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..errors import ArgumentError, ShapeError
from ..kernels import select as kernels
from .normalisation import images, parameter
from .operands import float_tensor, number, whole


def group_norm(x, num_groups, weight=None, bias=None, eps=1e-5) -> Tensor:
    """Return weight * (x - mean) / sqrt(var + eps) + bias, mean and var over a group of channels of one image. [Wu2018]

    Parameters
    ----------
    x : Tensor or array_like, (batch, channels, ...)
        float32 or float64.
    num_groups : int
        Divides the channels; 1 normalises whole images, `channels` each channel of an image.
    weight, bias : Tensor or array_like, (channels,), optional
    eps : float

    Raises
    ------
    ShapeError, ArgumentError
        If sizes do not agree, or a group has only one value.

    Notes
    -----
    x is saved, and two numbers for each image and group.
    """
    x = float_tensor("group_norm", "x", x)
    shape, groups = x.data.shape, whole("group_norm", "num_groups", num_groups)
    if len(shape) < 2 or 0 in shape[1:]:
        raise ShapeError(f"group_norm: x must be (batch, channels, ...) with no empty axis, got x.shape={shape}")
    if groups < 1 or shape[1] % groups:
        raise ArgumentError(f"group_norm: num_groups must divide the {shape[1]} channels, got {groups} (x.shape={shape})")
    if shape[0] and x.data.size // (shape[0] * groups) == 1:
        raise ShapeError(f"group_norm: a group needs more than one value (num_groups={groups}, x.shape={shape})")
    weight, bias = parameter("group_norm", x, "weight", weight, shape[1:2]), parameter("group_norm", x, "bias", bias, shape[1:2])
    case = groups, number("group_norm", "eps", eps, 0)
    y, saved = _forward(x.data, None if weight is None else weight.data, None if bias is None else bias.data, case)
    return record("group_norm", (x, weight, bias), y, _backward, saved, case)


def _forward(x, w, b, case):
    groups, eps = case
    if x.size == x.shape[0] * x.shape[1]:
        y, mean, rstd = kernels.layer_norm_forward(x.reshape(x.shape[:2]), w, b, eps, groups)
    else:
        y, mean, rstd = kernels.group_norm_forward(images(x), groups, w, b, eps)
    return y.reshape(x.shape), (x, w, mean, rstd)


def _backward(dy, saved, case, needs):
    x, w, mean, rstd = saved
    if x.size == x.shape[0] * x.shape[1]:
        flat = x.shape[:2]
        dx, dw, db = kernels.layer_norm_backward(dy.reshape(flat), x.reshape(flat), w, mean, rstd, case[0])
    else:
        dx, dw, db = kernels.group_norm_backward(images(dy), images(x), case[0], w, mean, rstd)
    return dx.reshape(x.shape), dw, db
