"""cli.catalog: the names of models and datasets that commands take."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .. import data, models, nn


class Source(NamedTuple):
    """A dataset: how to load a part of it, and whether a mirrored image is still one of its kind."""

    load: Callable[..., data.ArrayDataset]
    mirror: bool


class Net(NamedTuple):
    """A model: how to make it, and the shape (channels, height, width) of its images."""

    make: Callable[[], nn.Module]
    shape: tuple[int, int, int]


DATASETS = {"digits": Source(data.digits, False), "fashion-mnist": Source(data.fashion_mnist, True)}
# Models for the grey 28 x 28 images of both datasets.
TRAINABLE = {"lenet5": Net(models.lenet5, (1, 28, 28)), "vgg_small": Net(models.vgg_small, (1, 28, 28))}
NETS = {
    **TRAINABLE,
    "resnet20": Net(models.resnet20, (3, 32, 32)),
    "vgg16_cifar": Net(models.vgg16_cifar, (3, 32, 32)),
    "mobilenet_v2": Net(models.mobilenet_v2, (3, 224, 224)),
    "resnet18": Net(models.resnet18, (3, 224, 224)),
    "resnet50": Net(models.resnet50, (3, 224, 224)),
}
