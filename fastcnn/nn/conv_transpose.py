"""nn.conv_transpose: the transposed convolution layer. Papers: [Dumoulin2016]."""

from __future__ import annotations

from ..errors import ArgumentError, ShapeError
from ..ops import conv_transpose2d
from ..shapes import pair
from . import init
from .conv import positive
from .module import Module
from .parameter import Parameter


class ConvTranspose2d(Module):
    """The data gradient of a convolution, as a layer with trained weights: `ops.conv_transpose2d` with a state. [Dumoulin2016]

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, padding, output_padding : int or pair of int
    groups : int
        Divides both channel counts.
    bias : bool
    dilation : int or pair of int

    Attributes
    ----------
    weight : Parameter, (in_channels, out_channels / groups, kh, kw)
        Starts uniform in +-1 / sqrt(out_channels / groups * kh * kw), as the bias does.
    bias : Parameter, (out_channels,), or None
    algorithm : str
        "auto", or the name of one that all three directions shall use; see `ops.conv2d`.
    """

    algorithm = "auto"

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True, dilation=1
    ):
        name = "ConvTranspose2d"
        self.in_channels = positive(name, "in_channels", in_channels)
        self.out_channels = positive(name, "out_channels", out_channels)
        self.kernel_size, self.stride = pair(name, "kernel_size", kernel_size, 1), pair(name, "stride", stride, 1)
        self.padding, self.dilation = pair(name, "padding", padding, 0), pair(name, "dilation", dilation, 1)
        self.output_padding = pair(name, "output_padding", output_padding, 0)
        self.groups = positive(name, "groups", groups)
        if in_channels % groups or out_channels % groups:
            raise ArgumentError(f"{name}: groups={groups} must divide in_channels={in_channels} and out_channels={out_channels}")
        self.weight = Parameter(init.default_weight((self.in_channels, self.out_channels // self.groups, *self.kernel_size)))
        self.bias = Parameter(init.default_bias(self.weight, self.out_channels)) if bias else None

    def forward(self, x, output_size=None):
        """Return the transposed convolution of x; `output_size` (height, width) chooses output_padding."""
        extra = self.output_padding if output_size is None else self._output_padding(x.shape, output_size)
        return conv_transpose2d(
            x,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=self.padding,
            output_padding=extra,
            groups=self.groups,
            dilation=self.dilation,
            algorithm=self.algorithm,
        )

    def _output_padding(self, x_shape, output_size) -> tuple[int, ...]:
        sizes = zip(x_shape[2:], self.stride, self.padding, self.dilation, self.kernel_size, strict=True)
        least = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, s, p, d, k in sizes]
        extra = tuple(int(wanted) - low for wanted, low in zip(output_size[-2:], least, strict=True))
        if any(not 0 <= e < s for e, s in zip(extra, self.stride, strict=True)):
            most = [low + s - 1 for low, s in zip(least, self.stride, strict=True)]
            raise ShapeError(f"ConvTranspose2d: output_size must be between {least} and {most}, got {tuple(output_size)}")
        return extra

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        for name, default in (("padding", (0, 0)), ("dilation", (1, 1)), ("output_padding", (0, 0)), ("groups", 1)):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text if self.bias is not None else text + ", bias=False"
