"""ops.layer_norm: normalisation over the last axes. Kernels: layer_norm_forward, _backward. Papers: [Ba2016]."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..errors import ShapeError
from ..kernels import select as kernels
from .normalisation import flat, in_pixel_order, parameter, rows, unflat
from .operands import float_tensor, number, whole


def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5) -> Tensor:
    """Return weight * (x - mean) / sqrt(var + eps) + bias, mean and var over the last axes. [Ba2016]

    Parameters
    ----------
    x : Tensor or array_like, (..., *normalized_shape)
        float32 or float64.
    normalized_shape : int or tuple of int
        The last sizes of x.
    weight, bias : Tensor or array_like, normalized_shape, optional
    eps : float

    Raises
    ------
    ShapeError
        If x does not end in `normalized_shape`, or weight or bias have another shape.

    Notes
    -----
    x is saved, and two numbers for each row. Whole images stay in channels-last memory, weight and bias are put into its order.
    """
    x = float_tensor("layer_norm", "x", x)
    given = normalized_shape if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
    last = tuple(whole("layer_norm", "normalized_shape", size) for size in given)
    if not last or x.data.shape[-len(last) :] != last or 0 in last:
        raise ShapeError(f"layer_norm: x must end in normalized_shape={last}, got x.shape={x.data.shape}")
    weight, bias = parameter("layer_norm", x, "weight", weight, last), parameter("layer_norm", x, "bias", bias, last)
    case = last, number("layer_norm", "eps", eps, 0)
    y, saved = _forward(x.data, None if weight is None else weight.data, None if bias is None else bias.data, case)
    return record("layer_norm", (x, weight, bias), y, _backward, saved, case)


def _forward(x, w, b, case):
    last, eps = case
    pixels = in_pixel_order(x, last)
    y, mean, rstd = kernels.layer_norm_forward(rows(x, last, pixels), flat(w, pixels), flat(b, pixels), eps)
    return unflat(y, x.shape, pixels), (x, w, mean, rstd)


def _backward(dy, saved, case, needs):
    x, w, mean, rstd = saved
    last = case[0]
    pixels = in_pixel_order(x, last)
    dx, dw, db = kernels.layer_norm_backward(rows(dy, last, pixels), rows(x, last, pixels), flat(w, pixels), mean, rstd)
    return unflat(dx, x.shape, pixels), unflat(dw, last, pixels), unflat(db, last, pixels)
