"""models.vgg: chains of 3x3 convolutions. Papers: [Simonyan2015]."""

from __future__ import annotations

from collections.abc import Sequence

from .. import nn

VGG16 = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")


def features(cfg: Sequence, in_channels: int, batch_norm: bool) -> nn.Sequential:
    """Return the convolutional part: a number is a 3x3 convolution (and ReLU) with that many channels, "M" a 2x2 max pool."""
    layers: list[nn.Module] = []
    for entry in cfg:
        if entry == "M":
            layers.append(nn.MaxPool2d(2))
            continue
        layers.append(nn.Conv2d(in_channels, entry, 3, padding=1, bias=not batch_norm))
        layers += [nn.BatchNorm2d(entry), nn.ReLU(inplace=True)] if batch_norm else [nn.ReLU(inplace=True)]
        in_channels = entry
    return nn.Sequential(*layers)


def classifier(in_features: int, hidden: int, num_classes: int, dropout: float) -> nn.Sequential:
    """Return the three linear layers of the VGG networks."""
    return nn.Sequential(
        nn.Linear(in_features, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(hidden, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(hidden, num_classes),
    )


class VGG(nn.Sequential):
    """features, avgpool, flatten, classifier; parameter names as torchvision's.

    Parameters
    ----------
    features, avgpool, classifier : Module
    """

    def __init__(self, features: nn.Module, avgpool: nn.Module, classifier: nn.Module):
        super().__init__({"features": features, "avgpool": avgpool, "flatten": nn.Flatten(), "classifier": classifier})
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0.0, 0.01)
            if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
                nn.init.zeros_(module.bias)


def vgg_small(num_classes: int = 10, in_channels: int = 1, cfg: Sequence = (32, 32, "M", 64, 64, "M", 128)) -> nn.Sequential:
    """Return a small VGG-like net: 3x3 convolutions with batch-norm, global max pooling, one linear layer.

    Any image size that the pools of `cfg` divide; 140,458 parameters with the defaults. PyTorch's default initialisation.
    """
    last = [entry for entry in cfg if entry != "M"][-1]
    return nn.Sequential(
        {
            "features": features(cfg, in_channels, batch_norm=True),
            "maxpool": nn.AdaptiveMaxPool2d(1),
            "flatten": nn.Flatten(),
            "classifier": nn.Linear(last, num_classes),
        }
    )


def vgg16(num_classes: int = 1000, in_channels: int = 3, batch_norm: bool = False, dropout: float = 0.5) -> VGG:
    """Return VGG-16 for 224 x 224 images: 138,357,544 parameters with the defaults."""
    return VGG(
        features(VGG16, in_channels, batch_norm), nn.AdaptiveAvgPool2d(7), classifier(512 * 7 * 7, 4096, num_classes, dropout)
    )


def vgg16_cifar(
    num_classes: int = 10, in_channels: int = 3, batch_norm: bool = False, dropout: float = 0.5, cfg: Sequence = VGG16
) -> VGG:
    """Return the form of VGG-16 for 32 x 32 images: hidden layers of 512, 15,245,130 parameters with the defaults."""
    last = [entry for entry in cfg if entry != "M"][-1]
    return VGG(features(cfg, in_channels, batch_norm), nn.AdaptiveAvgPool2d(1), classifier(last, 512, num_classes, dropout))
