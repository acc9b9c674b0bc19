"""nn.linear: the fully connected layer."""

from __future__ import annotations

from ..ops import linear
from . import init
from .conv import positive
from .module import Module
from .parameter import Parameter


class Linear(Module):
    """y = x @ weight.T + bias over the last axis.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool

    Attributes
    ----------
    weight : Parameter, (out_features, in_features)
        Starts uniform in +-1 / sqrt(in_features), as the bias does. [He2015]
    bias : Parameter, (out_features,), or None
    """

    def __init__(self, in_features, out_features, bias=True):
        self.in_features = positive("Linear", "in_features", in_features)
        self.out_features = positive("Linear", "out_features", out_features)
        self.weight = Parameter(init.default_weight((self.out_features, self.in_features)))
        self.bias = Parameter(init.default_bias(self.weight)) if bias else None

    def forward(self, x, ceiling=None):
        return linear(x, self.weight, self.bias, ceiling=ceiling)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
