"""bench.layers: the convolution layers of known networks, read from shapes/*.csv, and operands for them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastcnn.shapes import Conv2dCase, conv2d_case

SHAPES = Path(__file__).with_name("shapes")


class Layer(NamedTuple):
    """One distinct convolution of a network; `count` is how often the network has it."""

    network: str
    name: str
    count: int
    ci: int
    ih: int
    iw: int
    co: int
    kh: int
    kw: int
    stride: int
    padding: int
    groups: int

    def case(self, batch: int) -> Conv2dCase:
        weight = (self.co, self.ci // self.groups, self.kh, self.kw)
        return conv2d_case((batch, self.ci, self.ih, self.iw), weight, self.stride, self.padding, 1, self.groups)


def networks() -> list[str]:
    """Return the names of the networks that have a file of shapes."""
    return sorted(path.stem for path in SHAPES.glob("*.csv"))


def load(network: str) -> list[Layer]:
    """Read the layers of one network, in the order in which the network runs them."""
    with open(SHAPES / f"{network}.csv", newline="") as file:
        return [
            Layer(network, row.pop("name"), **{key: int(value) for key, value in row.items()}) for row in csv.DictReader(file)
        ]


def shrink(layer: Layer) -> Layer:
    """Return the layer with at most 16 channels and 14 x 14 pixels, for smoke runs."""
    depthwise = layer.groups > 1
    channels = min(layer.ci, 16)
    return layer._replace(
        ci=channels,
        co=channels if depthwise else min(layer.co, 16),
        groups=channels if depthwise else 1,
        ih=min(layer.ih, 14),
        iw=min(layer.iw, 14),
    )


def chosen(config) -> list[Layer]:
    """Return the layers that the options of the run ask for; a smoke run takes a few of all kinds, made small."""
    if config.getoption("--smoke"):
        return [shrink(layer) for name in ("lenet5", "mobilenet_v2") for layer in load(name)[:2]] + [shrink(load("resnet18")[1])]
    names = config.getoption("--networks")
    return [layer for name in (networks() if names == "all" else names.split(",")) for layer in load(name)]


def batches(config) -> list[int]:
    """Return how many images the options of the run ask for, one number for each size; 2 in a smoke run."""
    return [2] if config.getoption("--smoke") else [int(number) for number in config.getoption("--batches").split(",")]


def channels_last(array: np.ndarray) -> np.ndarray:
    """Return the values of a rank-4 array in NHWC memory, under the same logical NCHW shape."""
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def operands(case: Conv2dCase, dtype=np.float32, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return x, w, dy of a case, channels-last, with standard normal values (w scaled by its fan-in)."""
    rng = np.random.default_rng(seed)
    x, w, dy = (rng.standard_normal(shape, dtype) for shape in (case.x_shape, case.w_shape, case.y_shape))
    w *= dtype((case.ci // case.groups * case.kh * case.kw) ** -0.5)
    return channels_last(x), channels_last(w), channels_last(dy)
