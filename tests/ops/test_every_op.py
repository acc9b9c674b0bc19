"""tests.ops.test_every_op: what must hold of all ops: no cycles, inputs untouched, dtype, memory order, one backward."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from fastcnn import Tensor, manual_seed, no_grad, ops
from fastcnn.errors import GradientError

from ..house_rules import op_paths
from ..sizes import ROOT
from .every_op import CALLS, ELEMENTWISE

every_op = pytest.mark.parametrize("op", CALLS)


def call(op, dtype=np.float64, requires_grad=True):
    """Return (result, inputs) of one call on fresh inputs."""
    function, arrays = CALLS[op]
    manual_seed(1)
    inputs = [Tensor(np.array(a, dtype, order="K"), requires_grad=requires_grad) for a in arrays]
    return function(*inputs), inputs


def test_table_is_complete():
    assert sorted(CALLS) == sorted(path.stem for path in op_paths(ROOT))


@every_op
def test_dies_without_the_garbage_collector(op):
    gc.collect()
    gc.disable()
    try:
        y, inputs = call(op)
        traces = [weakref.ref(y), *map(weakref.ref, inputs)]
        y.sum().backward()
        del y, inputs
        assert all(trace() is None for trace in traces)
        y, inputs = call(op)  # and without backward
        traces = [weakref.ref(y), *map(weakref.ref, inputs)]
        del y, inputs
        assert all(trace() is None for trace in traces)
    finally:
        gc.enable()


@every_op
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_and_shape_of_gradients(op, dtype):
    y, inputs = call(op, dtype)
    assert y.dtype == (np.float32 if op == "cast" else dtype) and type(y.data) is np.ndarray
    y.backward(np.ones_like(y.data))
    for x in inputs:
        assert x.grad.dtype == dtype and x.grad.shape == x.shape
        assert x.grad.data.flags.writeable and not np.may_share_memory(x.grad.data, x.data)


@every_op
def test_inputs_and_the_given_gradient_stay_as_they_are(op):
    y, inputs = call(op)
    before = [x.data.copy() for x in inputs]
    gradient = np.random.default_rng(0).standard_normal(y.shape).astype(y.dtype)
    kept = gradient.copy()
    for x in inputs:
        x.data.flags.writeable = False
    gradient.flags.writeable = False
    y.backward(gradient)
    assert np.array_equal(gradient, kept)
    assert all(np.array_equal(x.data, b) for x, b in zip(inputs, before, strict=True))
    grads = [x.grad.data for x in inputs]
    for i, g in enumerate(grads):
        assert not np.may_share_memory(g, gradient)
        assert not any(np.may_share_memory(g, other) for other in grads[:i])


@every_op
def test_backward_twice_needs_the_graph(op):
    y, _ = call(op)
    y.backward(np.ones_like(y.data))
    with pytest.raises(GradientError, match=r"^backward: the graph through .* was already used"):
        y.backward(np.ones_like(y.data))


@every_op
def test_a_changed_input_is_noticed_or_does_not_matter(op):
    y, inputs = call(op)
    gradient = np.random.default_rng(0).standard_normal(y.shape).astype(y.dtype)
    y.backward(gradient)
    want = [x.grad.data for x in inputs]
    for changed in range(len(inputs)):
        y, inputs = call(op)
        with no_grad():
            inputs[changed].copy_(inputs[changed].data * 1.5 + 0.1)
        try:
            y.backward(gradient)
        except GradientError as error:
            assert "was changed in place after the forward pass" in str(error)
        else:
            assert all(np.array_equal(x.grad.data, g) for x, g in zip(inputs, want, strict=True))


@every_op
def test_retained_graph_gives_the_same_gradient_again(op):
    y, inputs = call(op)
    gradient = np.ones_like(y.data)
    y.backward(gradient, retain_graph=True)
    first = [x.grad.data.copy() for x in inputs]
    y.backward(gradient)
    for x, g in zip(inputs, first, strict=True):
        assert np.array_equal(x.grad.data, g + g)


@every_op
def test_nothing_is_recorded_without_need(op):
    with no_grad():
        assert call(op)[0].node is None
    assert call(op, requires_grad=False)[0].node is None


@every_op
def test_node_says_what_was_done(op):
    y, inputs = call(op)
    node = y.node
    while node.inputs and not isinstance(node.inputs[0], Tensor):
        node = node.inputs[0]
    assert node.op == ("max_pool2d" if op == "adaptive_max_pool2d" else op)
    assert node.inputs == tuple(inputs) and all(node.needs)
    assert node.shape == y.shape


@pytest.mark.parametrize("op", ELEMENTWISE)
def test_channels_last_memory_is_kept(op):
    y, inputs = call(op)
    y.backward(np.ones_like(y.data))
    for a in (y.data, inputs[0].grad.data):
        assert a.transpose(0, 2, 3, 1).flags.c_contiguous


def test_every_op_is_exported():
    assert all(callable(getattr(ops, op)) and op in ops.__all__ for op in CALLS)
