"""nn.activation: elementwise layers and softmax."""

from __future__ import annotations

from .. import ops
from .module import Module


class _Elementwise(Module):
    """`inplace` is accepted for PyTorch's sake and changes nothing: the tape keeps one array either way."""

    def __init__(self, inplace=False):
        self.inplace = bool(inplace)


class ReLU(_Elementwise):
    """max(x, 0). `inplace` is accepted for PyTorch's sake and changes nothing: the tape keeps one array either way."""

    def forward(self, x):
        return ops.relu(x)


class ReLU6(_Elementwise):
    """x limited to [0, 6]. [Sandler2018]"""

    def forward(self, x):
        return ops.relu6(x)


class SiLU(_Elementwise):
    """x / (1 + exp(-x)). [Elfwing2018]"""

    def forward(self, x):
        return ops.silu(x)


class Hardswish(_Elementwise):
    """x min(max(x + 3, 0), 6) / 6. [Howard2019]"""

    def forward(self, x):
        return ops.hardswish(x)


class Hardsigmoid(_Elementwise):
    """min(max(x + 3, 0), 6) / 6. [Howard2019]"""

    def forward(self, x):
        return ops.hardsigmoid(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, x):
        return ops.sigmoid(x)


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, x):
        return ops.tanh(x)


class LeakyReLU(_Elementwise):
    """x above 0, negative_slope * x below. [Maas2013]"""

    def __init__(self, negative_slope=0.01, inplace=False):
        super().__init__(inplace)
        self.negative_slope = negative_slope

    def forward(self, x):
        return ops.leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class ELU(_Elementwise):
    """x above 0, alpha (exp(x) - 1) below. [Clevert2016]"""

    def __init__(self, alpha=1.0, inplace=False):
        super().__init__(inplace)
        self.alpha = alpha

    def forward(self, x):
        return ops.elu(x, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class GELU(Module):
    """x P(X < x) for standard normal X, or its approximation by tanh; `ops.gelu`. [Hendrycks2016]"""

    def __init__(self, approximate="none"):
        self.approximate = approximate

    def forward(self, x):
        return ops.gelu(x, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class Softplus(Module):
    """log(1 + exp(beta x)) / beta; x itself where beta x is above `threshold`."""

    def __init__(self, beta=1.0, threshold=20.0):
        self.beta, self.threshold = beta, threshold

    def forward(self, x):
        return ops.softplus(x, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class Softmax(Module):
    """exp(x) / sum(exp(x)) along the axis `dim`."""

    def __init__(self, dim=-1):
        self.dim = dim

    def forward(self, x):
        return ops.softmax(x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """The logarithm of softmax along the axis `dim`."""

    def __init__(self, dim=-1):
        self.dim = dim

    def forward(self, x):
        return ops.log_softmax(x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
