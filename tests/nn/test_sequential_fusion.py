"""tests.nn.test_sequential_fusion: a fused BatchNorm2d + ReLU is the two layers, and only where nobody looks."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import kernels, nn


def chain(dtype, activation=nn.ReLU):
    fc.manual_seed(0)
    layers = (
        nn.Conv2d(3, 5, 3, padding=1, bias=False),
        nn.BatchNorm2d(5),
        activation(),
        nn.Conv2d(5, 4, 3),
        nn.BatchNorm2d(4),
        activation(),
    )
    net = nn.Sequential(*layers).to(dtype)
    for layer in net:
        if isinstance(layer, nn.BatchNorm2d):
            layer.bias.data[:] = np.linspace(-0.4, 0.4, layer.num_features)
    return net, fc.tensor(np.random.default_rng(1).standard_normal((4, 3, 9, 9)).astype(dtype), requires_grad=True)


def gradients(net, x, y):
    net.zero_grad()
    x.grad = None
    (y * y).sum().backward()
    return [t.grad.numpy().copy() for t in (x, *net.parameters())]


@pytest.mark.parametrize("activation", [nn.ReLU, nn.ReLU6])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_fused_equals_the_two_layers(dtype, activation):
    net, x = chain(dtype, activation)
    fused = net(x)
    assert fused.node.op == "batch_norm"
    plain = x
    for layer in net:
        plain = layer(plain)
    assert plain.node.op == ("relu" if activation is nn.ReLU else "relu6")
    tolerance = {"rtol": 1e-12, "atol": 1e-12} if dtype == "f8" else {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(fused.numpy(), plain.numpy(), **tolerance)
    for a, b in zip(gradients(net, x, net(x)), gradients(net, x, plain), strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


def test_hooks_and_evaluation_see_every_layer():
    net, x = chain("f4")
    seen = []
    with net[1].register_forward_hook(lambda module, inputs, output: seen.append(output.numpy().min())):
        assert net[:3](x).node.op == "relu"
    assert seen[0] < 0
    assert net.eval()(x).node.op == "relu"


def test_evaluation_fuses_where_nothing_is_recorded(monkeypatch):
    net, x = chain("f4")
    net.eval()
    plain = net(x).numpy()
    monkeypatch.setattr(nn.ReLU, "forward", None)
    with fc.no_grad():
        assert np.array_equal(net(x).numpy(), plain)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_plus_takes_the_sum_into_the_norm(dtype):
    net, x = chain(dtype)
    net = net[:2]
    net[0] = nn.Conv2d(3, 3, 3, padding=1).to(dtype)
    net[1] = nn.BatchNorm2d(3).to(dtype)
    fused, plain = net.plus(x, x), net(x) + x
    assert fused.node.op == "batch_norm" and plain.node.op == "add"
    assert np.array_equal(fused.numpy(), plain.numpy())
    for a, b in zip(gradients(net, x, net.plus(x, x)), gradients(net, x, plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12 if dtype == "f8" else 1e-5, atol=1e-12 if dtype == "f8" else 1e-5)
    with net[1].register_forward_hook(lambda module, inputs, output: None):
        assert net.plus(x, x).node.op == "add"
    assert nn.Sequential().plus(x, x).node.op == "add"


@pytest.mark.parametrize("shape", [(6, 7), (3, 5, 4, 4)])
def test_reference_has_the_fused_form(shape):
    rng = np.random.default_rng(2)
    x, dy = rng.standard_normal((2, *shape))
    weight, bias = rng.standard_normal((2, shape[1]))
    for algorithm in ("vector", "reference"):
        y, mean, var = kernels.batch_norm_forward(x, weight, bias, 1e-5, relu=True, algorithm=algorithm)
        plain = kernels.batch_norm_forward(x, weight, bias, 1e-5, algorithm="reference")[0]
        np.testing.assert_allclose(y, np.maximum(plain, 0), atol=1e-12)
        fused = kernels.batch_norm_backward(dy, x, weight, mean, var, 1e-5, bias=bias, relu=True, algorithm=algorithm)
        two = kernels.batch_norm_backward(dy * (plain > 0), x, weight, mean, var, 1e-5, algorithm="reference")
        for a, b in zip(fused, two, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-12)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.ReLU6])
@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.MaxPool2d(3, 2, 1), nn.MaxPool2d((2, 3), (1, 2), ceil_mode=True)])
def test_pooling_before_the_activation_is_the_same(activation, pool):
    rng = np.random.default_rng(0)
    values = rng.integers(-4, 9, (3, 5, 9, 10)).astype("f4")  # windows with several largest values, and with none above zero
    values[rng.random(values.shape) < 0.05] = np.nan
    x = fc.tensor(values, requires_grad=True)
    exchanged, plain = nn.Sequential(activation(), pool)(x), pool(activation()(x))
    assert exchanged.node.op != "max_pool2d" and plain.node.op == "max_pool2d"
    assert np.array_equal(exchanged.numpy(), plain.numpy(), equal_nan=True)
    dy = fc.tensor(rng.standard_normal(plain.shape).astype("f4"))
    gradients = []
    for y in (exchanged, plain):
        x.grad = None
        (y * dy).sum().backward()
        gradients.append(x.grad.numpy().copy())
    assert np.array_equal(*gradients) and gradients[0].any()


def test_pooling_stays_behind_the_activation_where_somebody_looks():
    x = fc.tensor(np.ones((1, 3, 8, 8), "f4"), requires_grad=True)
    net = nn.Sequential(nn.ReLU(), nn.MaxPool2d(2))
    assert net(x).node.op == "relu"
    for layer in net:
        with layer.register_forward_hook(lambda module, inputs, output: None):
            assert net(x).node.op == "max_pool2d"
    for others in ([nn.ReLU(), nn.MaxPool2d(2, dilation=2)], [nn.Tanh(), nn.MaxPool2d(2)], [nn.BatchNorm2d(3), *net]):
        assert nn.Sequential(*others)(x).node.op == "max_pool2d"
