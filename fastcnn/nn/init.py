"""nn.init: fills parameters in place, from the global generator. Papers: [He2015], [Glorot2010]."""

from __future__ import annotations

import math

import numpy as np

from ..autograd import Tensor, no_grad
from ..errors import ArgumentError, ShapeError
from ..rng import generator


def fans(tensor: Tensor) -> tuple[int, int]:
    """Return (fan_in, fan_out): values that one output reads, outputs that one value reaches.

    For weights (out, in, ...): in * kernel area and out * kernel area.
    """
    if tensor.ndim < 2:
        raise ShapeError(f"init: fan-in and fan-out need at least 2 axes, got shape={tensor.shape}")
    area = math.prod(tensor.shape[2:])
    return tensor.shape[1] * area, tensor.shape[0] * area


def gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor by which `nonlinearity` shrinks the deviation, inverted (PyTorch's table)."""
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1 + (0.01 if param is None else param) ** 2))
    known = {"linear": 1.0, "conv2d": 1.0, "sigmoid": 1.0, "tanh": 5.0 / 3, "relu": math.sqrt(2.0)}
    if nonlinearity not in known:
        raise ArgumentError(f"init: nonlinearity must be 'leaky_relu' or one of {', '.join(known)}, got {nonlinearity!r}")
    return known[nonlinearity]


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Fill with uniform values of [a, b), drawn in C order whatever the memory."""
    values = generator().random(tensor.shape, dtype=tensor.dtype)
    values *= b - a
    values += a
    return _fill(tensor, values)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Fill with normal values, drawn in C order whatever the memory."""
    values = generator().standard_normal(tensor.shape, dtype=tensor.dtype)
    values *= std
    values += mean
    return _fill(tensor, values)


def constant_(tensor: Tensor, value: float) -> Tensor:
    """Fill with one value."""
    return _fill(tensor, value)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros."""
    return _fill(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones."""
    return _fill(tensor, 1.0)


def kaiming_uniform_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """Fill uniformly in +-gain * sqrt(3 / fan). [He2015]"""
    bound = gain(nonlinearity, a) * math.sqrt(3.0 / _fan(tensor, mode))
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """Fill with normal values of deviation gain / sqrt(fan). [He2015]"""
    return normal_(tensor, 0.0, gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode)))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill uniformly in +-gain * sqrt(6 / (fan_in + fan_out)). [Glorot2010]"""
    bound = gain * math.sqrt(6.0 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill with normal values of deviation gain * sqrt(2 / (fan_in + fan_out)). [Glorot2010]"""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(fans(tensor))))


def default_weight(shape: tuple[int, ...]) -> Tensor:
    """A weight as PyTorch's layers start with: Kaiming-uniform, a = sqrt(5), that is uniform in +-1 / sqrt(fan_in).

    4-D weights (out, in, kh, kw) lie in channels-last memory.
    """
    if len(shape) == 4:
        out, into, kh, kw = shape
        data = np.empty((out, kh, kw, into), dtype=np.float32).transpose(0, 3, 1, 2)
    else:
        data = np.empty(shape, dtype=np.float32)
    return kaiming_uniform_(Tensor(data), a=math.sqrt(5))


def default_bias(weight: Tensor) -> Tensor:
    """The bias for `weight` as PyTorch's layers start with: uniform in +-1 / sqrt(fan_in)."""
    bound = 1 / math.sqrt(fans(weight)[0])
    return uniform_(Tensor(np.empty(weight.shape[0], dtype=np.float32)), -bound, bound)


def _fan(tensor: Tensor, mode: str) -> int:
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError(f"init: mode must be 'fan_in' or 'fan_out', got {mode!r}")
    return fans(tensor)[mode == "fan_out"]


def _fill(tensor: Tensor, values) -> Tensor:
    with no_grad():
        return tensor.copy_(values)
