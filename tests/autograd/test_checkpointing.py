"""tests.autograd.test_checkpointing: recomputed parts give the gradients of kept ones, and keep less."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from fastcnn import Tensor, manual_seed, nn, no_grad, rng
from fastcnn.autograd import checkpoint, checkpoint_sequential, gradcheck, is_recomputing
from fastcnn.errors import ArgumentError, DtypeError, GradientError


def network():
    manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.GELU(), nn.Dropout(0.4), nn.Conv2d(4, 2, 3), nn.Tanh()).double()


def gradients(net, run, x):
    net.zero_grad()
    x = Tensor(x, requires_grad=x.flags.writeable)
    manual_seed(5)
    y = run(x)
    state = rng.get_state()
    y.sum().backward()
    assert rng.get_state() == state
    return [y.data, *([] if x.grad is None else [x.grad.data]), *(p.grad.data for p in net.parameters())]


@pytest.mark.parametrize("input_gradient", [True, False])
def test_same_bits_as_without(input_gradient):
    net, x = network(), np.random.default_rng(0).standard_normal((2, 2, 6, 5))
    x.flags.writeable = input_gradient  # stands for requires_grad
    want = gradients(net, net, x)
    got = gradients(net, lambda x: checkpoint(net, x), x)
    nested = gradients(net, lambda x: checkpoint(lambda x: checkpoint(net, x) * 1, x), x)
    for a, b, c in zip(want, got, nested, strict=True):
        assert np.array_equal(a, b) and np.array_equal(a, c)


def test_several_inputs_and_options():
    def function(x, y, power, z=None):
        return (x * y).exp() * x**power

    x, y = np.array([0.5, 0.7]), np.array([0.3, -0.2])
    assert gradcheck(lambda x, y: checkpoint(function, x, y, 2), (x, y))
    assert gradcheck(lambda x: checkpoint(lambda a, b: (a + b).relu(), x, x), x)


def test_leaves_do_not_share_a_gradient():
    x, y = (Tensor(np.array([1.0, 2.0]), requires_grad=True) for _ in range(2))
    checkpoint(lambda x, y: (x + y).relu(), x, y).sum().backward()
    assert not np.shares_memory(x.grad.data, y.grad.data)


def test_only_the_inputs_are_kept():
    kept = []

    def function(x):
        y = x.exp()
        kept.append(weakref.ref(y.node.saved.base if y.node.saved.base is not None else y))
        return y.exp()

    gc.disable()
    try:
        x = Tensor(np.ones(3), requires_grad=True)
        y = checkpoint(function, x)
        assert kept[0]() is None and y.node.op == "checkpoint"
        trace = weakref.ref(y)
        y.sum().backward()
        del y
        assert trace() is None and len(kept) == 2
    finally:
        gc.enable()


def test_hook_of_a_parameter_runs_once():
    net, seen = nn.Linear(2, 2), []
    net.weight.register_hook(lambda g: seen.append(g.shape))
    checkpoint(net, Tensor(np.ones((1, 2), np.float32))).sum().backward()
    assert seen == [(2, 2)]


def test_nothing_to_record():
    x = Tensor(np.ones(2), requires_grad=True)
    assert checkpoint(lambda x: x, x) is x
    with no_grad():
        assert checkpoint(lambda x: x * 2, x).node is None
    assert not checkpoint(lambda x: x * 2, Tensor(np.ones(2))).requires_grad


def test_misuse():
    x = Tensor(np.ones(2), requires_grad=True)
    outside = x * 2
    with pytest.raises(GradientError, match=r"^checkpoint: function uses the result <Node \d+ mul \(2,\)> from outside"):
        checkpoint(lambda x: x * outside, x)
    with pytest.raises(DtypeError, match=r"^checkpoint: function must return one Tensor, got tuple"):
        checkpoint(lambda x: (x, x), x)
    y = checkpoint(lambda x: x * x, x)
    y.sum().backward()
    with pytest.raises(GradientError, match="was already used"):
        y.sum().backward()


def test_a_changed_parameter_is_noticed():
    net = nn.Linear(2, 2)
    y = checkpoint(net, Tensor(np.ones((1, 2), np.float32), requires_grad=True))
    with no_grad():
        net.weight *= 2
    with pytest.raises(GradientError, match="'checkpoint' saved was changed in place"):
        y.sum().backward()


def test_graph_can_be_retained():
    x = Tensor(np.array([1.0, 2.0]), requires_grad=True)
    y = checkpoint(lambda x: x * x, x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.data.tolist() == [4, 8]


def normalised(momentum):
    manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4, momentum=momentum), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.BatchNorm2d(2)
    )


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("nested", [False, True])
def test_running_statistics_move_once(momentum, nested):
    x = np.random.default_rng(0).standard_normal((3, 2, 7, 7), np.float32)
    plain, kept = normalised(momentum), normalised(momentum)
    for _ in range(3):
        y = plain(Tensor(x, requires_grad=True))
        y.sum().backward()
        part = (lambda x: checkpoint(kept, x) * 1) if nested else kept
        z = checkpoint(part, Tensor(x, requires_grad=True))
        z.sum().backward(retain_graph=True)
        z.sum().backward()
    for name, value in plain.state_dict().items():
        np.testing.assert_array_equal(kept.state_dict()[name].data, value.data, err_msg=name)
    assert kept[1].num_batches_tracked.item() == 3 and not is_recomputing()


def test_a_failed_recomputation_ends_the_mode():
    runs = []

    def function(x):
        runs.append(is_recomputing())
        if len(runs) == 2:
            raise ZeroDivisionError
        return x.exp()

    y = checkpoint(function, Tensor(np.ones(2), requires_grad=True))
    with pytest.raises(ZeroDivisionError):
        y.sum().backward()
    assert runs == [False, True] and not is_recomputing()


@pytest.mark.parametrize("segments", [1, 2, 3, 5])
def test_sequential_parts(segments):
    net, x = network(), np.random.default_rng(0).standard_normal((2, 2, 6, 5))
    want = gradients(net, net, x)
    for layers in (net, list(net)):
        for a, b in zip(want, gradients(net, lambda x: checkpoint_sequential(layers, segments, x), x), strict=True):  # noqa: B023
            assert np.array_equal(a, b)


@pytest.mark.parametrize("segments", [0, 6, 2.0, True])
def test_bad_segments(segments):
    with pytest.raises(ArgumentError, match=r"^checkpoint_sequential: segments must be an int from 1 to the 5 layers, got"):
        checkpoint_sequential(network(), segments, Tensor(np.ones((1, 2, 6, 5))))
