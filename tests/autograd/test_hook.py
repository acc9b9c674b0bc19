"""tests.autograd.test_hook: hooks of leaves and of results: order, replacement, removal, sums, misuse."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from fastcnn import Tensor, nn, no_grad
from fastcnn.errors import GradientError


def leaf(*values):
    return Tensor(np.array(values, np.float32), requires_grad=True)


def test_hook_of_a_result_sees_its_whole_gradient_and_may_replace_it():
    x, seen = leaf(1.0, 2.0), []
    y = x * 3
    y.register_hook(lambda g: seen.append(g.data.tolist()))
    y.register_hook(lambda g: g * 10)
    y.retain_grad()
    (y * y + y).sum().backward()
    assert seen == [[7, 13]] and y.grad.data.tolist() == [70, 130] and x.grad.data.tolist() == [210, 390]


def test_hook_of_a_leaf_sees_the_sum_of_one_backward_once():
    x, seen = leaf(1.0, 2.0), []
    x.register_hook(lambda g: seen.append(g.data.copy()))
    handle = x.register_hook(lambda g: -g)
    for _ in range(2):
        (x * x + x * 3).sum().backward()
    assert [s.tolist() for s in seen] == [[5, 7], [5, 7]] and x.grad.data.tolist() == [-10, -14]
    handle.remove()
    handle.remove()
    x.zero_grad()
    x.backward(np.array([1, 2], np.float32))
    assert len(seen) == 3 and x.grad.data.tolist() == [1, 2]


def test_hook_of_a_parameter_and_of_a_copy():
    layer = nn.Linear(2, 1)
    layer.weight.register_hook(lambda g: g * 0)
    layer(np.ones((3, 2), np.float32)).sum().backward()
    assert not layer.weight.grad.data.any() and layer.bias.grad.item() == 3


def test_clipping_in_a_hook_does_not_change_the_other_branch():
    x = leaf(5.0)
    y = x * 1
    y.register_hook(lambda g: Tensor(np.clip(g.data, -1, 1)))
    (y * 100 + x * 2).sum().backward()
    assert x.grad.item() == 3


def test_bad_hooks():
    x = leaf(1.0, 2.0)
    with pytest.raises(GradientError, match=r"^register_hook: the tensor does not require a gradient"):
        Tensor([1.0]).register_hook(print)
    x.register_hook(lambda g: g.data[:1])
    with pytest.raises(GradientError, match=r"^register_hook: a hook must return a gradient of shape \(2,\), float32; got"):
        (x * 2).sum().backward()


def test_no_cycle():
    gc.collect()
    gc.disable()
    try:
        x = leaf(1.0)
        y = x * 2
        handle = y.register_hook(lambda g: g * 2)
        traces = [weakref.ref(x), weakref.ref(y)]
        y.backward()
        del x, y, handle
        assert all(trace() is None for trace in traces)
    finally:
        gc.enable()


def test_hook_removed_as_context():
    x = leaf(1.0)
    with x.register_hook(lambda g: g * 7):
        (x * 1).backward()
    (x * 1).backward()
    assert x.grad.item() == 8
    with no_grad():
        assert (x * 2).node is None
