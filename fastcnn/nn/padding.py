"""nn.padding: borders around images as layers."""

from __future__ import annotations

from ..errors import ArgumentError
from ..ops import pad
from .module import Module


class _Pad2d(Module):
    """A border of `padding`: an int, or (left, right, top, bottom)."""

    mode = "constant"
    value = 0.0

    def __init__(self, padding):
        sides = tuple(padding) if isinstance(padding, (tuple, list)) else (padding,) * 4
        if len(sides) != 4 or any(not hasattr(side, "__index__") for side in sides):
            raise ArgumentError(f"{type(self).__name__}: padding must be an int or (left, right, top, bottom), got {padding!r}")
        self.padding = sides

    def forward(self, x):
        return pad(x, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad2d(_Pad2d):
    """Zeros around images.

    Parameters
    ----------
    padding : int or four ints (left, right, top, bottom)
        Below 0: as many rows or columns are cut off.
    """


class ReflectionPad2d(_Pad2d):
    """Images mirrored at their edges; arguments as `ZeroPad2d`, at least 0."""

    mode = "reflect"


class ReplicationPad2d(_Pad2d):
    """The edges of images repeated; arguments as `ZeroPad2d`, at least 0."""

    mode = "replicate"
