"""nn.dropout: the dropout layer. Papers: [Srivastava2014]."""

from __future__ import annotations

from ..errors import ArgumentError
from ..ops import dropout
from .module import Module


class Dropout(Module):
    """In training: zero each element with probability `p`, scale the others by 1 / (1 - p). In evaluation: nothing."""

    def __init__(self, p=0.5, inplace=False):
        if not 0.0 <= p <= 1.0:
            raise ArgumentError(f"Dropout: p must be between 0 and 1, got {p!r}")
        self.p, self.inplace = p, bool(inplace)

    def forward(self, x):
        return dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"
