"""sklearn.net: the network that CNNClassifier makes when it is given none, for images of any size down to one pixel."""

from __future__ import annotations

from .. import nn


def small_net(channels: int, height: int, width: int, classes: int) -> nn.Sequential:
    """Return two convolutions of 16 and 32 channels and a linear layer; pooling only while the image is 4 pixels or larger."""
    layers: list[nn.Module] = []
    for filters in (16, 32):
        layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU()]
        window = (2 if height >= 4 else 1, 2 if width >= 4 else 1)
        if window != (1, 1):
            layers.append(nn.MaxPool2d(window))
        channels, height, width = filters, height // window[0], width // window[1]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * height * width, classes))
