"""models.resnet: residual networks, ImageNet and CIFAR forms. Papers: [He2016]."""

from __future__ import annotations

from .. import nn
from ..nn.fusion import conv_norm


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int = 1, downsample: nn.Module | None = None):
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = downsample

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        y = conv_norm(x, self.conv1, self.bn1, self.relu)
        return conv_norm(y, self.conv2, self.bn2, self.relu, identity)


class Bottleneck(nn.Module):
    """1x1, 3x3 (with the stride) and 1x1 convolutions around a shortcut; four times as many channels come out."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int = 1, downsample: nn.Module | None = None):
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, 4 * channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        y = conv_norm(x, self.conv1, self.bn1, self.relu)
        y = conv_norm(y, self.conv2, self.bn2, self.relu)
        return conv_norm(y, self.conv3, self.bn3, self.relu, identity)


def _stage(block: type[BasicBlock] | type[Bottleneck], in_channels: int, channels: int, count: int, stride: int) -> nn.Sequential:
    """`count` blocks; the first has the stride, and a 1x1 convolution in its shortcut where the shape changes."""
    out = channels * block.expansion
    downsample = None
    if stride != 1 or in_channels != out:
        downsample = nn.Sequential(nn.Conv2d(in_channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))
    blocks = [block(in_channels, channels, stride, downsample)]
    blocks += [block(out, channels) for _ in range(count - 1)]
    return nn.Sequential(*blocks)


class ResNet(nn.Module):
    """A stem, stages of residual blocks, global average pooling, a linear layer; parameter names as torchvision's.

    Parameters
    ----------
    block : BasicBlock or Bottleneck
    layers : tuple of int
        Blocks per stage; each stage after the first halves the image and doubles the channels.
    num_classes, in_channels : int
    width : int
        Channels of the stem and the first stage.
    imagenet_stem : bool
        7x7 stride 2 and max pooling, or one 3x3 convolution for small images.
    """

    def __init__(self, block, layers, num_classes=1000, in_channels=3, width=64, imagenet_stem=True):
        if imagenet_stem:
            self.conv1 = nn.Conv2d(in_channels, width, 7, 2, 3, bias=False)
        else:
            self.conv1 = nn.Conv2d(in_channels, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1) if imagenet_stem else nn.Identity()
        self.stages = len(layers)
        channels = width
        for i, count in enumerate(layers):
            setattr(self, f"layer{i + 1}", _stage(block, channels, width * 2**i, count, 1 if i == 0 else 2))
            channels = width * 2**i * block.expansion
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):
        x = conv_norm(x, self.conv1, self.bn1, self.relu, pool=self.maxpool)
        for i in range(self.stages):
            x = getattr(self, f"layer{i + 1}")(x)
        return self.fc(self.flatten(self.avgpool(x)))


def resnet18(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """Return ResNet-18: 11,689,512 parameters with the defaults."""
    return ResNet(BasicBlock, (2, 2, 2, 2), num_classes, in_channels)


def resnet50(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """Return ResNet-50: 25,557,032 parameters with the defaults."""
    return ResNet(Bottleneck, (3, 4, 6, 3), num_classes, in_channels)


def resnet20(num_classes: int = 10, in_channels: int = 3) -> ResNet:
    """Return the ResNet-20 of small images (three stages of 16, 32, 64 channels): 272,474 parameters with the defaults.

    Where the shape changes the shortcut is a 1x1 convolution.
    """
    return ResNet(BasicBlock, (3, 3, 3), num_classes, in_channels, width=16, imagenet_stem=False)
