"""nn.dropout: the dropout layers. Papers: [Srivastava2014], [Tompson2015]."""

from __future__ import annotations

from ..errors import ArgumentError
from ..ops import dropout, dropout2d
from .module import Module


class Dropout(Module):
    """In training: zero each element with probability `p`, scale the others by 1 / (1 - p). In evaluation: nothing."""

    def __init__(self, p=0.5, inplace=False):
        if not 0.0 <= p <= 1.0:
            raise ArgumentError(f"{type(self).__name__}: p must be between 0 and 1, got {p!r}")
        self.p, self.inplace = p, bool(inplace)

    def forward(self, x):
        return dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Dropout2d(Dropout):
    """In training: zero each channel of each image with probability `p`, scale the others by 1 / (1 - p). [Tompson2015]"""

    def forward(self, x):
        return dropout2d(x, self.p, self.training)
