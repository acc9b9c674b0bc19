"""sklearn.net: the network that CNNClassifier makes when it is given none, for images of any size down to one pixel."""

from __future__ import annotations

from .. import nn


def small_net(channels: int, height: int, width: int, classes: int) -> nn.Sequential:
    """Return two convolutions of 32 and 64 channels with batch-norm, dropout and a linear layer.

    Pooling only while the image is 4 pixels or larger; no batch-norm for images of one pixel, whose last batch may be one value.
    """
    layers: list[nn.Module] = []
    normed = height * width > 1
    for filters in (32, 64):
        layers.append(nn.Conv2d(channels, filters, 3, padding=1, bias=not normed))
        layers += [nn.BatchNorm2d(filters), nn.ReLU()] if normed else [nn.ReLU()]
        window = (2 if height >= 4 else 1, 2 if width >= 4 else 1)
        if window != (1, 1):
            layers.append(nn.MaxPool2d(window))
        channels, height, width = filters, height // window[0], width // window[1]
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.25), nn.Linear(channels * height * width, classes))
