"""models.mobilenet: MobileNetV2. Papers: [Sandler2018]."""

from __future__ import annotations

from .. import nn

# expansion, channels, blocks, stride of the first block: table 2 of the paper
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class ConvBNReLU(nn.Sequential):
    """Convolution without bias, batch-norm, ReLU6."""

    def __init__(self, in_channels: int, channels: int, kernel_size: int = 3, stride: int = 1, groups: int = 1):
        padding = (kernel_size - 1) // 2
        super().__init__(
            nn.Conv2d(in_channels, channels, kernel_size, stride, padding, groups=groups, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU6(inplace=True),
        )


class InvertedResidual(nn.Module):
    """1x1 expansion, 3x3 depthwise, 1x1 projection; a shortcut where the shape stays."""

    def __init__(self, in_channels: int, channels: int, stride: int, expansion: int):
        hidden = in_channels * expansion
        self.use_shortcut = stride == 1 and in_channels == channels
        layers: list[nn.Module] = [] if expansion == 1 else [ConvBNReLU(in_channels, hidden, 1)]
        layers += [
            ConvBNReLU(hidden, hidden, 3, stride, hidden),
            nn.Conv2d(hidden, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        ]
        self.conv = nn.Sequential(*layers)

    def forward(self, x):
        return self.conv.plus(x, x) if self.use_shortcut else self.conv(x)


def _divisible(channels: float) -> int:
    """The multiple of 8 nearest to `channels`, at least 8 and not more than a tenth below it."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


class MobileNetV2(nn.Module):
    """MobileNetV2; parameter names as torchvision's.

    Parameters
    ----------
    num_classes, in_channels : int
    width_mult : float
        Factor on all channel counts.
    dropout : float
    """

    def __init__(self, num_classes: int = 1000, in_channels: int = 3, width_mult: float = 1.0, dropout: float = 0.2):
        channels, last = _divisible(32 * width_mult), _divisible(1280 * max(1.0, width_mult))
        layers: list[nn.Module] = [ConvBNReLU(in_channels, channels, 3, 2)]
        for expansion, base, count, stride in STAGES:
            out = _divisible(base * width_mult)
            for i in range(count):
                layers.append(InvertedResidual(channels, out, stride if i == 0 else 1, expansion))
                channels = out
        layers.append(ConvBNReLU(channels, last, 1))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(last, num_classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0.0, 0.01)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x):
        return self.classifier(self.flatten(self.avgpool(self.features(x))))


def mobilenet_v2(num_classes: int = 1000, in_channels: int = 3, width_mult: float = 1.0) -> MobileNetV2:
    """Return MobileNetV2: 3,504,872 parameters with the defaults."""
    return MobileNetV2(num_classes, in_channels, width_mult)
