"""tests.nn.test_init: bounds, deviations, seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastcnn import Tensor, manual_seed, nn
from fastcnn.errors import ArgumentError, ShapeError
from fastcnn.nn import init

SHAPE, FAN_IN, FAN_OUT = (64, 32, 3, 3), 288, 576


def empty(shape=SHAPE):
    return Tensor(np.empty(shape, np.float32))


def uniform_bound(t):
    return np.abs(t.data).max()


@pytest.mark.parametrize(
    ("fill", "bound"),
    [
        (lambda t: init.kaiming_uniform_(t, a=math.sqrt(5)), 1 / math.sqrt(FAN_IN)),
        (lambda t: init.kaiming_uniform_(t, nonlinearity="relu", mode="fan_out"), math.sqrt(6 / FAN_OUT)),
        (init.xavier_uniform_, math.sqrt(6 / (FAN_IN + FAN_OUT))),
        (lambda t: init.uniform_(t, -3, 3), 3),
    ],
)
def test_uniform(fill, bound):
    manual_seed(0)
    t = fill(empty())
    assert 0.999 * bound < uniform_bound(t) <= bound * (1 + 1e-6)
    assert abs(t.data.mean()) < 0.02 * bound and t.data.std() == pytest.approx(bound / math.sqrt(3), rel=0.02)


@pytest.mark.parametrize(
    ("fill", "std"),
    [
        (lambda t: init.kaiming_normal_(t, mode="fan_out", nonlinearity="relu"), math.sqrt(2 / FAN_OUT)),
        (init.xavier_normal_, math.sqrt(2 / (FAN_IN + FAN_OUT))),
        (lambda t: init.normal_(t, 0.0, 0.01), 0.01),
    ],
)
def test_normal(fill, std):
    manual_seed(0)
    t = fill(empty())
    assert t.data.std() == pytest.approx(std, rel=0.02) and abs(t.data.mean()) < 0.02 * std


def test_constants():
    assert (init.ones_(empty()).data == 1).all() and (init.zeros_(empty()).data == 0).all()
    assert (init.constant_(empty(), 0.5).data == 0.5).all()


def test_layers_start_as_pytorch_does():
    manual_seed(0)
    conv, linear = nn.Conv2d(32, 64, 3), nn.Linear(100, 500)
    for layer, fan in ((conv, FAN_IN), (linear, 100)):
        for parameter in (layer.weight, layer.bias):
            assert 0.9 / math.sqrt(fan) < uniform_bound(parameter) <= 1 / math.sqrt(fan) * (1 + 1e-6)
    assert abs(nn.Conv2d(8, 4, 1, groups=4).weight.data).max() <= 1 / math.sqrt(2)


def test_the_seed_repeats_a_network_whatever_the_memory_order():
    def make():
        manual_seed(7)
        return nn.Conv2d(3, 8, 3).weight.data

    assert np.array_equal(make(), make())
    manual_seed(7)
    plain = init.kaiming_uniform_(empty((8, 3, 3, 3)), a=math.sqrt(5))
    assert np.array_equal(plain.data, make())


def test_parameters_can_be_filled_although_they_require_a_gradient():
    layer = nn.Linear(3, 2)
    init.zeros_(layer.weight)
    assert not layer.weight.data.any() and layer.weight.version == 1


def test_bad_arguments():
    with pytest.raises(ArgumentError, match=r"^init: mode must be 'fan_in' or 'fan_out', got 'fan'"):
        init.kaiming_normal_(empty(), mode="fan")
    with pytest.raises(ArgumentError, match=r"^init: nonlinearity must be .*, got 'swish'"):
        init.kaiming_normal_(empty(), nonlinearity="swish")
    with pytest.raises(ShapeError, match=r"^init: fan-in and fan-out need at least 2 axes, got shape=\(3,\)"):
        init.xavier_uniform_(empty((3,)))


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (6, 2, 3, 3), (20, 2, 2, 2)])
def test_orthogonal(shape):
    manual_seed(0)
    w = init.orthogonal_(Tensor(np.empty(shape)), gain=2.0).data.reshape(shape[0], -1)
    small = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(small, 4 * np.eye(len(small)), atol=1e-12)


@pytest.mark.parametrize(("mean", "std", "a", "b"), [(0, 1, -2, 2), (1, 0.5, 0, 1.2), (0, 1, 3, 4), (0, 2, -0.1, 0.1)])
def test_truncated_normal(mean, std, a, b):
    manual_seed(0)
    values = init.trunc_normal_(Tensor(np.empty(4000)), mean, std, a, b).data
    assert a <= values.min() and values.max() <= b and np.unique(values).size > 3900
    grid = np.linspace(a, b, 20001)
    density = np.exp(-0.5 * ((grid - mean) / std) ** 2)
    assert values.mean() == pytest.approx((grid * density).sum() / density.sum(), abs=0.03 * (b - a))


def test_eye_and_dirac():
    assert np.array_equal(init.eye_(empty((2, 3))).data, np.eye(2, 3))
    layer, x = nn.Conv2d(4, 4, 3, padding=1, groups=2, bias=False), np.random.default_rng(0).random((1, 4, 5, 5), np.float32)
    init.dirac_(layer.weight, groups=2)
    np.testing.assert_allclose(layer(x).data, x, rtol=1e-6)


def test_bad_shapes_and_options():
    for fill, text in ((init.eye_, "2 axes"), (init.dirac_, "3 axes"), (init.orthogonal_, "2 axes")):
        with pytest.raises(ShapeError, match=text):
            fill(empty((3,)))
    with pytest.raises(ArgumentError, match=r"^dirac_: groups must divide the 64 output channels, got 5"):
        init.dirac_(empty(), 5)
    for options in ({"std": 0}, {"a": 2, "b": 1}, {"a": 90, "b": 91}):
        with pytest.raises(ArgumentError, match=r"^trunc_normal_: "):
            init.trunc_normal_(empty(), **options)
