"""tests.nn.test_pool_fusion: BatchNorm2d, activation and MaxPool2d in one pass are the three layers, where nobody looks."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import autograd, models, nn, ops
from fastcnn.errors import ArgumentError, ShapeError
from fastcnn.kernels import select

FUSED = "batch_norm_max_pool2d_forward", "batch_norm_max_pool2d_inference"


@pytest.fixture
def calls(monkeypatch):
    """The names of the fused kernels that ran."""
    seen = []
    for name in FUSED:
        function = getattr(select, name)

        def counted(*args, _name=name, _function=function, **options):
            seen.append(_name.rsplit("_", 1)[1])
            return _function(*args, **options)

        monkeypatch.setattr(select, name, counted)
    return seen


def net_of(dtype, activation=None, pool=None, channels=16):
    fc.manual_seed(0)
    layers = nn.Conv2d(3, channels, 3, padding=1), nn.BatchNorm2d(channels), activation or nn.ReLU(), pool or nn.MaxPool2d(2)
    net = nn.Sequential(*layers, nn.Conv2d(channels, 2, 1)).to(dtype)
    net[1].weight.data[:] = np.linspace(-1, 2, channels)  # 0 is among them or near, and signs are mixed
    net[1].bias.data[:] = np.linspace(0.4, -0.4, channels)
    x = np.random.default_rng(0).standard_normal((4, 3, 9, 8)).astype(dtype)
    return net, fc.tensor(x, requires_grad=True)


def one_by_one(net, x):
    for layer in net:
        x = layer(x)
    return x


def results(net, x, run):
    """Output, gradients, buffers."""
    state = {key: value.numpy().copy() for key, value in net.state_dict().items()}
    net.zero_grad()
    x.grad = None
    y = run(x)
    (y * y).sum().backward()
    found = [y.numpy().copy(), x.grad.numpy(), *(p.grad.numpy() for p in net.parameters())]
    found += [b.numpy().copy() for b in net.buffers()]
    net.load_state_dict(state)
    return found


POOLS = {"2x2": nn.MaxPool2d(2), "stem": nn.MaxPool2d(3, 2, 1), "axes": nn.MaxPool2d((2, 1), (2, 1), (1, 0), ceil_mode=True)}


@pytest.mark.parametrize("activation", [nn.ReLU, nn.ReLU6])
@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_equals_the_layers_one_by_one(calls, dtype, pool, activation):
    net, x = net_of(dtype, activation(), POOLS[pool])
    got, want = results(net, x, net), results(net, x, lambda x: one_by_one(net, x))
    assert calls == ["forward"]
    tolerance = 1e-11 if dtype == "f8" else 1e-3  # the gradient of a bias before a norm is zero but for the rounding of its terms
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def test_gradcheck(calls):
    net, x = net_of("f8")
    net[1].weight.data[:] = np.linspace(0.5, 2, 16)
    assert autograd.gradcheck(net, (x,)) and calls


def test_output_has_the_bits_of_the_layers(calls):
    net, x = net_of("f4", pool=nn.MaxPool2d(3, 2, 1))
    net = net[1:4]
    x = fc.tensor(np.random.default_rng(1).standard_normal((2, 16, 9, 9)).astype("f4"))
    fused = net(x).numpy()
    assert np.array_equal(fused, one_by_one(net, x).numpy()) and calls == ["forward"]
    net.eval()
    with fc.no_grad():
        fused = net(x).numpy()
        assert np.array_equal(fused, one_by_one(net, x).numpy()) and calls == ["forward", "inference"]


def test_where_somebody_looks_the_layers_run_alone(calls):
    net, x = net_of("f4")
    want = one_by_one(net, x).numpy()
    for layer in net[1], net[2], net[3]:
        with layer.register_forward_hook(lambda module, inputs, output: None):
            np.testing.assert_allclose(net(x).numpy(), want, rtol=1e-5, atol=1e-5)
    net.eval()(x)
    assert calls == []
    with net[4].register_forward_hook(lambda module, inputs, output: None), fc.no_grad():
        net(x)
    assert calls == ["inference"]


@pytest.mark.parametrize(
    "change",
    [
        {"pool": nn.MaxPool2d(3, 1, 1)},
        {"pool": nn.MaxPool2d(2, dilation=2)},
        {"pool": nn.AvgPool2d(2)},
        {"activation": nn.SiLU()},
        {"channels": 15},
    ],
)
def test_where_it_does_not_pay_or_hold_the_layers_run_alone(calls, change):
    net, x = net_of("f8", **change)
    np.testing.assert_allclose(net(x).numpy(), one_by_one(net, x).numpy(), rtol=1e-11, atol=1e-11)
    assert calls == []


def test_nothing_is_kept_for_a_gradient_that_nobody_wants(monkeypatch):
    seen = []
    forward = select.batch_norm_max_pool2d_forward
    monkeypatch.setattr(
        select, FUSED[0], lambda *a, need_index, **k: seen.append(need_index) or forward(*a, need_index=need_index, **k)
    )
    net, x = net_of("f4")
    net(x)
    with fc.no_grad():
        net(x)
    assert seen == [True, False]


def test_checkpointed_part(calls):
    net, x = net_of("f8")
    got = results(net, x, lambda x: autograd.checkpoint(net, x))
    assert calls == ["forward", "forward"]
    for a, b in zip(got, results(net, x, net), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_captured_step_has_the_bits_of_the_step(calls):
    def steps(wrap):
        net, _ = net_of("f4", pool=nn.MaxPool2d(3, 2, 1))
        optimizer = fc.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

        def step(x):
            y = net(x)
            loss = (y * y).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        run, rng = wrap(step), np.random.default_rng(5)
        for _ in range(5):
            loss = run(fc.tensor(rng.standard_normal((4, 3, 9, 8)).astype("f4")))
        return [loss.numpy().copy(), *(v.numpy() for v in net.state_dict().values())]

    want = steps(lambda step: step)
    calls.clear()
    got = steps(fc.capture)
    assert len(calls) == 2  # the others were replays
    assert all(np.array_equal(a, b) for a, b in zip(got, want, strict=True))


def test_models_use_it(calls):
    x = np.random.default_rng(0).standard_normal((2, 1, 28, 28)).astype("f4")
    models.vgg_small().train()(x)
    assert calls == ["forward", "forward"]
    models.resnet18(num_classes=3).train()(np.ones((2, 3, 32, 32), "f4"))
    assert calls == ["forward"] * 3


def test_the_operation_is_the_two_everywhere():
    """With a residual, without ReLU, with dilation, with fixed statistics and a gradient: one after the other."""
    rng = np.random.default_rng(2)
    x, r = (fc.tensor(rng.standard_normal((2, 5, 8, 8)), requires_grad=True) for _ in range(2))
    mean, var = fc.tensor(np.zeros(5)), fc.tensor(np.ones(5))
    for options in (
        {"training": True, "residual": r, "ceiling": 6.0},
        {"training": True},
        {"training": False, "ceiling": np.inf},
        {"training": True, "ceiling": np.inf, "pool": (3, 2, 1, 2, False)},
        {"training": True, "ceiling": np.inf},
    ):
        pool = options.pop("pool", (3, 2, 1, 1, False))
        with autograd.no_grad():
            want = ops.max_pool2d(ops.batch_norm(x, mean, var, **options), *pool).numpy()
        got = ops.batch_norm(x, fc.tensor(mean.numpy()), fc.tensor(var.numpy()), pool=pool, **options)
        np.testing.assert_allclose(got.numpy(), want, rtol=1e-6, atol=1e-6)
    with pytest.raises(
        ArgumentError, match=r"batch_norm: pool must be \(kernel_size, stride, padding, dilation, ceil_mode\), got 2"
    ):
        ops.batch_norm(x, None, None, training=True, ceiling=6.0, pool=2)
    with pytest.raises(ShapeError, match="max_pool2d: kernel height 9 is larger than the padded image height 8"):
        ops.batch_norm(x, None, None, training=True, ceiling=6.0, pool=(9, 9, 0, 1, False))
