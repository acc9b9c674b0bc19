"""nn.init: fills parameters in place, from the global generator. Papers: [He2015], [Glorot2010], [Saxe2014]."""

from __future__ import annotations

import math
from statistics import NormalDist

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
    known = {"linear": 1.0, "conv2d": 1.0, "conv_transpose2d": 1.0, "sigmoid": 1.0, "tanh": 5.0 / 3, "relu": math.sqrt(2.0)}
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


def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> Tensor:
    """Fill with normal values cut to [a, b]: those outside are drawn again, or all by the inverse distribution if most are."""
    if not (std > 0 and a < b):
        raise ArgumentError(f"trunc_normal_: std must be above 0 and a below b, got std={std!r}, a={a!r}, b={b!r}")
    normal = NormalDist(mean, std)
    low, high = normal.cdf(a), normal.cdf(b)
    if high - low > 0.05:
        values = generator().standard_normal(tensor.shape) * std + mean
        while (outside := (values < a) | (values > b)).any():
            values[outside] = generator().standard_normal(int(outside.sum())) * std + mean
    elif high > low:
        values = np.vectorize(normal.inv_cdf, otypes=[float])(generator().uniform(low, high, tensor.shape)).clip(a, b)
    else:
        raise ArgumentError(f"trunc_normal_: [{a}, {b}] is too far from mean={mean} for std={std}")
    return _fill(tensor, values)


def orthogonal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill so that the rows of (out, the rest), or its columns if those are fewer, are orthogonal of norm `gain`. [Saxe2014]"""
    if tensor.ndim < 2:
        raise ShapeError(f"orthogonal_: at least 2 axes are needed, got shape={tensor.shape}")
    rows = tensor.shape[0]
    values = generator().standard_normal((rows, tensor.size // max(rows, 1)))
    tall = values if values.shape[0] >= values.shape[1] else values.T
    q, r = np.linalg.qr(tall)
    q *= np.where(np.diag(r) < 0, -gain, gain)  # makes the distribution uniform
    return _fill(tensor, (q if tall is values else q.T).reshape(tensor.shape))


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with ones on the diagonal and zeros elsewhere."""
    if tensor.ndim != 2:
        raise ShapeError(f"eye_: 2 axes are needed, got shape={tensor.shape}")
    return _fill(tensor, np.eye(tensor.shape[0], tensor.shape[1]))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill the weight of a convolution so that it hands its input channels on: ones at the middle tap, zeros elsewhere."""
    if tensor.ndim < 3:
        raise ShapeError(f"dirac_: at least 3 axes (out, in, ...) are needed, got shape={tensor.shape}")
    if groups < 1 or tensor.shape[0] % groups:
        raise ArgumentError(f"dirac_: groups must divide the {tensor.shape[0]} output channels, got {groups}")
    values, each = np.zeros(tensor.shape), tensor.shape[0] // groups
    middle = tuple(size // 2 for size in tensor.shape[2:])
    for group in range(groups):
        for channel in range(min(each, tensor.shape[1])):
            values[(group * each + channel, channel, *middle)] = 1
    return _fill(tensor, values)


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


def default_bias(weight: Tensor, size: int | None = None) -> Tensor:
    """The bias (weight.shape[0] values, or `size`) for `weight` as PyTorch's layers start with: uniform in +-1 / sqrt(fan_in)."""
    bound = 1 / math.sqrt(fans(weight)[0])
    return uniform_(Tensor(np.empty(weight.shape[0] if size is None else size, dtype=np.float32)), -bound, bound)


def _fan(tensor: Tensor, mode: str) -> int:
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError(f"init: mode must be 'fan_in' or 'fan_out', got {mode!r}")
    return fans(tensor)[mode == "fan_out"]


def _fill(tensor: Tensor, values) -> Tensor:
    with no_grad():
        return tensor.copy_(values)
