"""reference.activation: the elementwise activations by their formulas, any shape, each with its derivative.

`kind` names the function, p and q are its parameters: clamp (low, high), leaky_relu (slope), elu (alpha), softplus (beta,
threshold). Derivatives are written in x, except for sigmoid and tanh, where they are written in y.
"""

from __future__ import annotations

import math

import numpy as np

from .precision import keep_layout, widen

_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def _sigmoid(x):
    return np.where(x < 0, np.exp(np.minimum(x, 0)), 1) / (1 + np.exp(-abs(x)))


def _normal_below(x):
    """P(X < x) for standard normal X."""
    return 0.5 * _erfc(x / -math.sqrt(2))


def _steep(x):
    """2 a of gelu_tanh = x (1 + tanh a) / 2 = x sigmoid(2 a)."""
    return 2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)


def _gelu_tanh_slope(x):
    s = _sigmoid(_steep(x))
    return s + x * s * _sigmoid(-_steep(x)) * 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)


FORWARD = {
    "clamp": lambda x, low, high: np.minimum(np.maximum(x, low), high),
    "relu6": lambda x, p, q: np.minimum(np.maximum(x, 0), 6),
    "leaky_relu": lambda x, slope, q: np.where(x > 0, x, x * slope),
    "elu": lambda x, alpha, q: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
    "sigmoid": lambda x, p, q: _sigmoid(x),
    "tanh": lambda x, p, q: np.tanh(x),
    "silu": lambda x, p, q: x * _sigmoid(x),
    "gelu": lambda x, p, q: x * _normal_below(x),
    "gelu_tanh": lambda x, p, q: x * _sigmoid(_steep(x)),
    "hardsigmoid": lambda x, p, q: np.minimum(np.maximum(x + 3, 0), 6) / 6,
    "hardswish": lambda x, p, q: x * np.minimum(np.maximum(x + 3, 0), 6) / 6,
    "softplus": lambda x, beta, threshold: np.where(x * beta > threshold, x, np.logaddexp(0, x * beta) / beta),
}
SLOPE = {
    "clamp": lambda x, low, high: np.where((x >= low) & (x <= high), 1, 0),
    "relu6": lambda x, p, q: np.where((x <= 0) | (x >= 6), 0, 1),
    "leaky_relu": lambda x, slope, q: np.where(x > 0, 1, slope),
    "elu": lambda x, alpha, q: np.where(x > 0, 1, alpha * np.exp(np.minimum(x, 0))),
    "sigmoid": lambda y, p, q: y * (1 - y),
    "tanh": lambda y, p, q: 1 - y * y,
    "silu": lambda x, p, q: _sigmoid(x) * (1 + x * _sigmoid(-x)),
    "gelu": lambda x, p, q: _normal_below(x) + x * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi),
    "gelu_tanh": lambda x, p, q: _gelu_tanh_slope(x),
    "hardsigmoid": lambda x, p, q: np.where((x > -3) & (x < 3), 1 / 6, 0),
    "hardswish": lambda x, p, q: np.where(x <= -3, 0, np.where(x < 3, x / 3 + 0.5, 1)),
    "softplus": lambda x, beta, threshold: np.where(x * beta > threshold, 1, _sigmoid(x * beta)),
}


def activation_forward(x, kind, p=0.0, q=0.0):
    """Return the activation of x."""
    dtype, x = x.dtype, widen(x)
    return keep_layout(np.asarray(FORWARD[kind](x, p, q)), dtype)


def activation_backward(dy, x, kind, p=0.0, q=0.0):
    """Return dy times the derivative; `x` is the result of forward for sigmoid and tanh, its input for the others.

    Where the derivative is zero by definition, dx is zero whatever dy is.
    """
    dtype = dy.dtype
    dy, x = widen(dy, x)
    slope = SLOPE[kind](x, p, q)
    cut = kind in ("clamp", "relu6", "hardsigmoid", "hardswish")
    return keep_layout(np.where(slope == 0, 0.0, dy * slope) if cut else np.asarray(dy * slope), dtype)
