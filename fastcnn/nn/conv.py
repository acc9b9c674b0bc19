"""nn.conv: the convolution layer."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError
from ..kernels.select import choose
from ..ops import conv2d
from ..ops.operands import float_tensor
from ..shapes import conv2d_case, pair
from . import init
from .module import Module
from .parameter import Parameter


def positive(layer: str, name: str, value) -> int:
    """Return `value` as an int of at least 1; raise ArgumentError otherwise."""
    try:
        number = value.__index__()
    except AttributeError:
        number = 0
    if number < 1:
        raise ArgumentError(f"{layer}: {name} must be an int of at least 1, got {value!r}")
    return number


class Conv2d(Module):
    """2-D cross-correlation with trained weights: `ops.conv2d` with a state.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, dilation : int or pair of int
    padding : int, pair, four ints (top, bottom, left, right), "valid" or "same"
    groups : int
        Divides both channel counts.
    bias : bool

    Attributes
    ----------
    weight : Parameter, (out_channels, in_channels / groups, kh, kw)
        In channels-last memory; starts uniform in +-1 / sqrt(fan_in), as the bias does. [He2015]
    bias : Parameter, (out_channels,), or None
    algorithm : str
        "auto", or the name of one that all three directions shall use; see `ops.conv2d`.
    """

    algorithm = "auto"

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True):
        self.in_channels = positive("Conv2d", "in_channels", in_channels)
        self.out_channels = positive("Conv2d", "out_channels", out_channels)
        self.kernel_size = pair("Conv2d", "kernel_size", kernel_size, 1)
        self.stride = pair("Conv2d", "stride", stride, 1)
        self.dilation = pair("Conv2d", "dilation", dilation, 1)
        self.groups = positive("Conv2d", "groups", groups)
        if in_channels % groups or out_channels % groups:
            raise ArgumentError(f"Conv2d: groups={groups} must divide in_channels={in_channels} and out_channels={out_channels}")
        if isinstance(padding, str):
            if padding not in ("valid", "same") or (padding == "same" and self.stride != (1, 1)):
                raise ArgumentError(
                    f"Conv2d: padding must be ints, 'valid', or 'same' with stride 1, got {padding!r}, stride={stride}"
                )
            self.padding: str | tuple[int, ...] = padding
        elif isinstance(padding, (tuple, list)) and len(padding) == 4:
            self.padding = pair("Conv2d", "padding", padding[:2], 0) + pair("Conv2d", "padding", padding[2:], 0)
        else:
            self.padding = pair("Conv2d", "padding", padding, 0)
        self.weight = Parameter(init.default_weight((self.out_channels, self.in_channels // self.groups, *self.kernel_size)))
        self.bias = Parameter(init.default_bias(self.weight)) if bias else None

    def forward(self, x):
        return conv2d(
            x,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            algorithm=self.algorithm,
        )

    def plan(self, x) -> dict[str, str]:
        """Return the name of the implementation that each direction uses for inputs like `x`.

        Examples
        --------
        >>> import numpy as np
        >>> from fastcnn import nn
        >>> nn.Conv2d(3, 8, 5).plan(np.zeros((1, 3, 9, 9), "f4"))
        {'forward': 'direct', 'backward_data': 'direct', 'backward_weight': 'direct'}
        """
        x, w = float_tensor("plan", "x", x).data, self.weight.data
        case = conv2d_case(x.shape, w.shape, self.stride, self.padding, self.dilation, self.groups)
        dy = np.broadcast_to(np.zeros((), dtype=x.dtype), case.y_shape)
        arguments = {"forward": (x, w, None, case), "backward_data": (dy, w, case), "backward_weight": (dy, x, case)}
        return {way: choose(f"conv2d_{way}", args, self.algorithm).name for way, args in arguments.items()}

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        for name, default in (("padding", (0, 0)), ("dilation", (1, 1)), ("groups", 1)):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text if self.bias is not None else text + ", bias=False"
