"""tests.nn.test_bounds: a convolution or linear layer that applies the activation behind it, and only where nobody looks."""

import math

import numpy as np
import pytest

import fastcnn as fc
import fastcnn.nn.functional as F
from fastcnn import nn
from fastcnn.errors import ArgumentError

LAYERS = {"conv2d": lambda: nn.Conv2d(3, 5, 3, padding=1), "linear": lambda: nn.Linear(6, 4)}


def net_of(layer, activation, dtype="f4"):
    fc.manual_seed(0)
    return nn.Sequential(LAYERS[layer](), activation()).to(dtype)


def image(dtype="f4"):
    values = 4 * np.random.default_rng(1).standard_normal((4, 3, 7, 6))
    return fc.tensor(values.astype(dtype), requires_grad=True)


def gradients(net, x, y):
    net.zero_grad()
    x.grad = None
    (y * y * y).sum().backward()
    return [t.grad.numpy().copy() for t in (x, *net.parameters())]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.ReLU6])
@pytest.mark.parametrize("layer", LAYERS)
def test_equals_the_two_layers(layer, activation, dtype):
    net, x = net_of(layer, activation, dtype), image(dtype)
    y, plain = net(x), net[1](net[0](x))
    assert y.node.op == layer and plain.node.op in ("relu", "relu6")
    assert np.array_equal(y.numpy(), plain.numpy()) and 0 < (y.numpy() == 0).mean() < 1
    for a, b in zip(gradients(net, x, net(x)), gradients(net, x, plain), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("layer", LAYERS)
def test_not_where_somebody_looks(layer):
    net, x = net_of(layer, nn.ReLU), image()
    for watched in net:
        with watched.register_forward_hook(lambda module, inputs, output: None):
            assert net(x).node.op == "relu"
    assert net(x).node.op == layer
    assert net.eval()(x).node.op == "relu"


def test_without_gradients_the_pooling_stays_behind_the_activation(monkeypatch):
    fc.manual_seed(0)
    net, x = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.MaxPool2d(2)), image()
    trained = net(x)
    assert trained.node.op == "relu"  # of fewer elements, forward and backward
    monkeypatch.setattr(nn.ReLU, "forward", None)
    with fc.no_grad():
        assert np.array_equal(net.eval()(x).numpy(), trained.numpy())


@pytest.mark.parametrize(
    "op",
    [
        lambda c: F.conv2d(image(), np.ones((2, 3, 1, 1), "f4"), ceiling=c),
        lambda c: F.linear(image(), np.ones((2, 6), "f4"), ceiling=c),
    ],
)
def test_other_ceilings_are_refused(op):
    for ceiling in (0, 5, -math.inf, math.nan):
        with pytest.raises(ArgumentError, match=r"ceiling must be None, inf \(ReLU\) or 6 \(ReLU6\)"):
            op(ceiling)
