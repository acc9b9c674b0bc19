"""bench.peers.torch_models: networks of fastcnn.models in plain PyTorch, under the same parameter names."""

from __future__ import annotations

import torch
from torch import nn


class Shortcut(nn.Module):
    """The sum of a branch and a shortcut, then perhaps a ReLU; the layers of the branch stand beside each other by name."""

    def __init__(self, branch: dict[str, nn.Module], order: tuple[str, ...], downsample: nn.Module | None = None):
        super().__init__()
        self.order = order
        for name, module in branch.items():
            self.add_module(name, module)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x):
        y = x
        for name in self.order:
            y = getattr(self, name)(y)
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


def conv_bn(ci: int, co: int, kernel: int, stride: int = 1, groups: int = 1) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(ci, co, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(co)


def residual(ci: int, width: int, stride: int, kernels: tuple[int, ...]) -> Shortcut:
    """Return a block with one convolution for each kernel; three of them widen the last by four. The first 3x3 has the stride."""
    out = width * (4 if len(kernels) == 3 else 1)
    branch: dict[str, nn.Module] = {}
    order: list[str] = []
    channels = ci
    for i, kernel in enumerate(kernels, 1):
        wide = out if i == len(kernels) else width
        step = stride if i == kernels.index(3) + 1 else 1
        branch[f"conv{i}"], branch[f"bn{i}"] = conv_bn(channels, wide, kernel, step)
        order += [f"conv{i}", f"bn{i}"] + (["relu"] if i < len(kernels) else [])
        channels = wide
    shortcut = nn.Sequential(*conv_bn(ci, out, 1, stride)) if stride != 1 or ci != out else None
    return Shortcut(branch, tuple(order), shortcut)


class Residual(nn.Sequential):
    """Stem, stages of blocks, mean over the image, one linear layer."""

    def __init__(self, kernels: tuple[int, ...], counts: tuple[int, ...], width: int, classes: int, large: bool):
        super().__init__()
        stem = nn.Conv2d(3, width, 7, 2, 3, bias=False) if large else nn.Conv2d(3, width, 3, 1, 1, bias=False)
        layers = {"conv1": stem, "bn1": nn.BatchNorm2d(width), "relu": nn.ReLU(inplace=True)}
        if large:
            layers["maxpool"] = nn.MaxPool2d(3, 2, 1)
        channels, expansion = width, 4 if len(kernels) == 3 else 1
        for i, count in enumerate(counts):
            blocks = []
            for j in range(count):
                blocks.append(residual(channels, width << i, 2 if i and not j else 1, kernels))
                channels = (width << i) * expansion
            layers[f"layer{i + 1}"] = nn.Sequential(*blocks)
        layers |= {"avgpool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "fc": nn.Linear(channels, classes)}
        for name, module in layers.items():
            self.add_module(name, module)


class Inverted(nn.Module):
    """1x1 expansion, 3x3 depthwise, 1x1 projection without activation; the shortcut where the shape stays."""

    def __init__(self, ci: int, co: int, stride: int, expansion: int):
        super().__init__()
        wide = ci * expansion
        widen = [activated(ci, wide, 1)] if expansion > 1 else []
        self.conv = nn.Sequential(*widen, activated(wide, wide, 3, stride, wide), *conv_bn(wide, co, 1))
        self.same = stride == 1 and ci == co

    def forward(self, x):
        return x + self.conv(x) if self.same else self.conv(x)


def activated(ci: int, co: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(*conv_bn(ci, co, kernel, stride, groups), nn.ReLU6(inplace=True))


def mobilenet_v2(classes: int = 1000) -> nn.Sequential:
    """Return MobileNetV2; dropout as in its paper's training form."""
    blocks: list[nn.Module] = [activated(3, 32, 3, 2)]
    channels = 32
    table = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for expansion, co, count, stride in table:
        for i in range(count):
            blocks.append(Inverted(channels, co, stride if i == 0 else 1, expansion))
            channels = co
    blocks.append(activated(channels, 1280, 1))
    net = nn.Sequential()
    net.add_module("features", nn.Sequential(*blocks))
    net.add_module("avgpool", nn.AdaptiveAvgPool2d(1))
    net.add_module("flatten", nn.Flatten())
    net.add_module("classifier", nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes)))
    return net


def vgg16_cifar(classes: int = 10) -> nn.Sequential:
    """Return VGG-16 for images of 32 x 32: hidden layers of 512, dropout of a half."""
    layers: list[nn.Module] = []
    channels = 3
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
        layers.append(nn.MaxPool2d(2))
    head: list[nn.Module] = []
    for _ in range(2):
        head += [nn.Linear(512, 512), nn.ReLU(inplace=True), nn.Dropout(0.5)]
    net = nn.Sequential()
    net.add_module("features", nn.Sequential(*layers))
    net.add_module("flatten", nn.Flatten())
    net.add_module("classifier", nn.Sequential(*head, nn.Linear(512, classes)))
    return net


MODELS = {
    "resnet18": lambda classes: Residual((3, 3), (2, 2, 2, 2), 64, classes, True),
    "resnet20": lambda classes: Residual((3, 3), (3, 3, 3), 16, classes, False),
    "resnet50": lambda classes: Residual((1, 3, 1), (3, 4, 6, 3), 64, classes, True),
    "mobilenet_v2": mobilenet_v2,
    "vgg16_cifar": vgg16_cifar,
}


def loaded(name: str, classes: int, state: dict) -> nn.Module:
    """Return a network with the parameters and buffers in `state`, which maps names to arrays; the names must be the same."""
    net = MODELS[name](classes)
    net.load_state_dict({key: torch.tensor(value) for key, value in state.items()})
    return net
