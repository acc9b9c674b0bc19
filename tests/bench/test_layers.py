"""tests.bench.test_layers: the shape files add up to the networks that they claim to be."""

from __future__ import annotations

import numpy as np
import pytest

from bench import layers

# network, or layers of one kind: (convolutions, multiply-adds of all convolutions for one image, weights of all convolutions)
KNOWN = {
    "depthwise_multiplier": (4, 4_929_792, 16_512),
    "lenet5": (2, 357_600, 2_550),
    "mobilenet_v2": (52, 299_494_272, 2_189_760),
    "resnet18": (20, 1_813_561_344, 11_166_912),
    "resnet50": (53, 4_087_136_256, 23_454_912),
    "vgg16": (13, 15_346_630_656, 14_710_464),
}


def test_every_file_is_known():
    assert layers.networks() == sorted(KNOWN)


@pytest.mark.parametrize("network", KNOWN)
def test_totals(network):
    rows = layers.load(network)
    cases = [row.case(1) for row in rows]
    weights = [row.co * (row.ci // row.groups) * row.kh * row.kw for row in rows]
    found = (
        sum(row.count for row in rows),
        sum(row.count * case.macs for row, case in zip(rows, cases, strict=True)),
        sum(row.count * n for row, n in zip(rows, weights, strict=True)),
    )
    assert found == KNOWN[network]
    assert len({row.name for row in rows}) == len(rows)


@pytest.mark.parametrize("network", KNOWN)
def test_shrunken_layers_are_legal_and_small(network):
    for row in layers.load(network):
        small = layers.shrink(row)
        assert small.case(2).macs < 5e6
        assert (small.groups > 1) == (row.groups > 1) and (small.kh, small.stride) == (row.kh, row.stride)


def test_operands_are_channels_last_and_reproducible():
    case = layers.load("lenet5")[1].case(2)
    x, w, dy = layers.operands(case)
    assert x.shape == case.x_shape and w.shape == case.w_shape and dy.shape == case.y_shape
    assert x.transpose(0, 2, 3, 1).flags.c_contiguous and x.dtype == np.float32
    assert np.array_equal(x, layers.operands(case)[0])
