"""nn.shape: layers without arithmetic."""

from __future__ import annotations

from ..ops import flatten
from .module import Module


class Flatten(Module):
    """Make the axes start_dim..end_dim one."""

    def __init__(self, start_dim=1, end_dim=-1):
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x):
        return flatten(x, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Identity(Module):
    """Return x; any arguments are accepted, so that it can stand in for any layer."""

    def __init__(self, *_arguments, **_options):
        pass

    def forward(self, x):
        return x
