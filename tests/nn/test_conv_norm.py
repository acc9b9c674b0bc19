"""tests.nn.test_conv_norm: a batch-norm with the statistics that the convolution before it has taken, where nobody looks."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import autograd, kernels, models, nn, ops
from fastcnn.kernels import select, table
from fastcnn.ops.operands import Moments
from fastcnn.reference import conv2d as truth


def measuring(x, w, b, case, moments=None, threads=1):
    y = truth.conv2d_forward(x, w, b, case)
    if moments is not None:
        moments[...] = truth.moments(y)
    return y


@pytest.fixture
def given(monkeypatch):
    """All convolutions give moments; the list of what batch_norm took."""
    taken, forward = [], kernels.select.batch_norm_forward
    impl = table.Impl("planted", measuring, compiled=True, moments=True)
    monkeypatch.setitem(select.OPS, "conv2d_forward", (impl,))
    monkeypatch.setattr(select, "_known", {})

    def batch_norm(*args, moments=None, **options):
        taken.append(moments)
        return forward(*args, moments=moments, **options)

    monkeypatch.setattr(select, "batch_norm_forward", batch_norm)
    return taken


def net_of(dtype, **options):
    fc.manual_seed(0)
    layers = nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6, **options), nn.ReLU(), nn.Conv2d(6, 3, 3, padding=1)
    net = nn.Sequential(*layers, nn.BatchNorm2d(3, **options)).to(dtype)
    return net, fc.tensor(np.random.default_rng(0).standard_normal((4, 3, 7, 6)).astype(dtype), requires_grad=True)


def results(net, x, run):
    """Output, gradients, running statistics."""
    state = {key: value.numpy().copy() for key, value in net.state_dict().items()}
    net.zero_grad()
    x.grad = None
    y = run(x)
    (y * y * y).sum().backward()
    found = [
        y.numpy().copy(),
        x.grad.numpy(),
        *(p.grad.numpy() for p in net.parameters()),
        *(b.numpy().copy() for b in net.buffers()),
    ]
    net.load_state_dict(state)
    return found


def layer_by_layer(net):
    def run(x):
        for layer in net:
            x = layer(x)
        return x

    return run


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("plus", [False, True])
def test_equals_the_layers_one_by_one(given, dtype, plus):
    net, x = net_of(dtype)
    if plus:
        got, want = results(net, x, lambda x: net.plus(x, x)), results(net, x, lambda x: layer_by_layer(net)(x) + x)
    else:
        got, want = results(net, x, net), results(net, x, layer_by_layer(net))
    assert [m is not None for m in given] == [True, True, False, False]
    tolerance = 1e-11 if dtype == "f8" else 1e-3  # the gradient of a bias before a norm is zero but for the rounding of its terms
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def test_the_kernels_give_the_same_results():
    net, x = net_of("f4")
    for a, b in zip(results(net, x, net), results(net, x, layer_by_layer(net)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)


def test_gradcheck(given):
    net, x = net_of("f8")
    assert autograd.gradcheck(net, (x,))
    assert all(m is not None for m in given)


def test_wrong_statistics_are_noticed(given):
    net, x = net_of("f8")

    def off(*args, moments=None, threads=1):
        y = measuring(*args, moments=moments)
        if moments is not None:
            moments[1] *= 1.01
        return y

    select.OPS["conv2d_forward"] = (select.OPS["conv2d_forward"][0]._replace(function=off),)
    assert not np.allclose(net(x).numpy(), layer_by_layer(net)(x).numpy(), rtol=1e-5)


def test_hooks_and_evaluation_have_none(given):
    net, x = net_of("f4")
    with net[0].register_forward_hook(lambda module, inputs, output: None):
        net(x)
    with net[4].register_forward_pre_hook(lambda module, inputs: None):
        net(x)
    assert [m is not None for m in given] == [False, True, True, False]
    given.clear()
    net.eval()(x)
    assert given == []
    net, x = net_of("f4", track_running_stats=False)
    net.eval()
    with fc.no_grad():
        net(x)
    assert [m is not None for m in given] == [True, True]


def test_a_norm_before_another_activation(given):
    net, x = net_of("f8")
    net[2] = nn.SiLU()
    np.testing.assert_allclose(net(x).numpy(), layer_by_layer(net)(x).numpy(), rtol=1e-11, atol=1e-11)
    assert [m is not None for m in given] == [True, True, False, False]


@pytest.mark.parametrize("make", [models.resnet20, lambda: models.mobilenet_v2(10, width_mult=0.1)])
def test_models_use_them_everywhere(given, make):
    net = make().train()
    x = np.random.default_rng(0).standard_normal((2, 3, 32, 32)).astype("f4")
    net(x)
    assert len(given) == sum(isinstance(m, nn.BatchNorm2d) for m in net.modules()) and all(m is not None for m in given)


def test_checkpointed_part(given):
    net, x = net_of("f8")
    got = results(net, x, lambda x: autograd.checkpoint(net, x))
    for a, b in zip(got, results(net, x, net), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_moments_of_another_shape_are_refused():
    moments = Moments()
    moments.values = np.zeros((2, 4))
    with pytest.raises(fc.errors.ShapeError, match=r"batch_norm: moments must be float64 \(2, 3\) in C order"):
        ops.batch_norm(np.ones((2, 3), "f4"), None, None, training=True, moments=moments)
