"""models.lenet: LeNet-5 with ReLU and max-pooling. Papers: [LeCun1998]."""

from __future__ import annotations

from .. import nn


class LeNet5(nn.Sequential):
    """Two 5x5 convolutions (6, 16 channels) with pooling, three linear layers (120, 84, classes); 28 x 28 images."""

    def __init__(self, num_classes: int = 10, in_channels: int = 1):
        features = nn.Sequential(
            nn.Conv2d(in_channels, 6, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        classifier = nn.Sequential(
            nn.Linear(400, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, num_classes),
        )
        super().__init__({"features": features, "flatten": nn.Flatten(), "classifier": classifier})


def lenet5(num_classes: int = 10, in_channels: int = 1) -> LeNet5:
    """Return LeNet-5 for (batch, in_channels, 28, 28): 61,706 parameters with the defaults."""
    return LeNet5(num_classes, in_channels)
