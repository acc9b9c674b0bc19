"""nn.conv: the convolution layer."""

from __future__ import annotations

from ..errors import ArgumentError
from ..kernels.plan import Plan, plan_conv2d
from ..ops import conv2d
from ..ops.operands import float_tensor
from ..policy import ALGORITHMS
from ..shapes import pair
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
    algorithm : {"auto", "direct", "depthwise", "batch", "narrow", "winograd", "reference"}
        Of all three directions; see `ops.conv2d`.

    Attributes
    ----------
    weight : Parameter, (out_channels, in_channels / groups, kh, kw)
        In channels-last memory; starts uniform in +-1 / sqrt(fan_in), as the bias does. [He2015]
    bias : Parameter, (out_channels,), or None
    """

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True, *, algorithm="auto"
    ):
        if algorithm not in ALGORITHMS:
            raise ArgumentError(f"Conv2d: algorithm must be one of {', '.join(ALGORITHMS)}, got {algorithm!r}")
        self.algorithm = algorithm
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

    def forward(self, x, moments=None, ceiling=None):
        return conv2d(
            x,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            algorithm=self.algorithm,
            moments=moments,
            ceiling=ceiling,
        )

    def plan(self, x, measure: bool = True) -> Plan:
        """Return which algorithm each direction would run; `print` shows all candidates with speed and error.

        Parameters
        ----------
        x : tuple of int, or array_like
            An input, or its shape (batch, in_channels, height, width).
        measure : bool
            See `plan_conv2d`.

        Examples
        --------
        >>> from fastcnn import nn
        >>> nn.Conv2d(3, 8, 5).plan((1, 3, 9, 9), measure=False)
        Plan({'forward': 'direct', 'backward_data': 'direct', 'backward_weight': 'direct'})
        """
        shaped = isinstance(x, (tuple, list)) and all(hasattr(n, "__index__") for n in x)
        shape = tuple(x) if shaped else float_tensor("plan", "x", x).data.shape
        options = {"stride": self.stride, "padding": self.padding, "dilation": self.dilation, "groups": self.groups}
        dtype = self.weight.data.dtype.name
        return plan_conv2d(shape, self.weight.data.shape, **options, dtype=dtype, algorithm=self.algorithm, measure=measure)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        for name, default in (("padding", (0, 0)), ("dilation", (1, 1)), ("groups", 1)):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text if self.bias is not None else text + ", bias=False"
