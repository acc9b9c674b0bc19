"""nn.block: small networks that larger ones are made of. Papers: [Hu2018], [Howard2017]."""

from __future__ import annotations

from .activation import ReLU, Sigmoid
from .containers import Sequential
from .conv import Conv2d
from .module import Module
from .norm import BatchNorm2d
from .pooling import AdaptiveAvgPool2d


class SqueezeExcitation(Module):
    """x times a weight for each channel, computed from the means of all channels; torchvision's names. [Hu2018]

    Parameters
    ----------
    input_channels, squeeze_channels : int
        The means pass through 1x1 convolutions from the first to the second number of channels, and back.
    activation, scale_activation : class of Module
        After the first and after the second.
    """

    def __init__(self, input_channels, squeeze_channels, activation=ReLU, scale_activation=Sigmoid):
        self.avgpool = AdaptiveAvgPool2d(1)
        self.fc1 = Conv2d(input_channels, squeeze_channels, 1)
        self.fc2 = Conv2d(squeeze_channels, input_channels, 1)
        self.activation = activation()
        self.scale_activation = scale_activation()

    def forward(self, x):
        scale = self.activation(self.fc1(self.avgpool(x)))
        return x * self.scale_activation(self.fc2(scale))


class DepthwiseSeparable(Module):
    """A depthwise and a 1x1 convolution, each followed by a norm and an activation. [Howard2017]

    Costs 1 / out_channels + 1 / kernel_size^2 of the multiply-adds of a full convolution.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size : int
        Odd; the padding keeps the size of the image at stride 1.
    stride : int or pair of int
        Of the depthwise convolution.
    norm : callable
        norm(channels) makes the norm.
    activation : callable
        activation() makes the activation.
    """

    def __init__(self, in_channels, out_channels, kernel_size=3, stride=1, norm=BatchNorm2d, activation=ReLU):
        options = {"padding": kernel_size // 2, "groups": in_channels, "bias": False}
        self.depthwise = Sequential(
            Conv2d(in_channels, in_channels, kernel_size, stride, **options), norm(in_channels), activation()
        )
        self.pointwise = Sequential(Conv2d(in_channels, out_channels, 1, bias=False), norm(out_channels), activation())

    def forward(self, x):
        return self.pointwise(self.depthwise(x))
