"""nn.activation: elementwise layers and softmax."""

from __future__ import annotations

from ..ops import clamp, log_softmax, relu, softmax
from .module import Module


class ReLU(Module):
    """max(x, 0). `inplace` is accepted for PyTorch's sake and changes nothing: the tape keeps one array either way."""

    def __init__(self, inplace=False):
        self.inplace = bool(inplace)

    def forward(self, x):
        return relu(x)


class ReLU6(Module):
    """x limited to [0, 6]. [Sandler2018]"""

    def __init__(self, inplace=False):
        self.inplace = bool(inplace)

    def forward(self, x):
        return clamp(x, 0.0, 6.0)


class Softmax(Module):
    """exp(x) / sum(exp(x)) along the axis `dim`."""

    def __init__(self, dim=-1):
        self.dim = dim

    def forward(self, x):
        return softmax(x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """The logarithm of softmax along the axis `dim`."""

    def __init__(self, dim=-1):
        self.dim = dim

    def forward(self, x):
        return log_softmax(x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
