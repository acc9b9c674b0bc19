"""tests.optim.test_fused: the table that optimizers keep from step to step notices every change of what it points at."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from fastcnn import Tensor, optim
from fastcnn.errors import ArgumentError

from ..harness import machine
from .test_optimizers import ROWS

SHAPES = ((40, 30), (40,), (3, 4, 3, 3), (1,), (60000,), ())


def parameters(seed=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    return [Tensor(np.asarray(rng.standard_normal(s)).astype(dtype), requires_grad=True) for s in SHAPES]


def gradients(params, seed, without=()):
    rng = np.random.default_rng(seed)
    for i, p in enumerate(params):
        g = np.asarray(rng.standard_normal(p.shape)).astype(p.dtype)
        p.grad = None if i in without else Tensor(g)


def alone(make, options, steps, without):
    """Each parameter with an optimizer of its own."""
    params = parameters()
    optimizers = [make([p], **options) for p in params]
    for step in range(steps):
        gradients(params, step, without(step))
        for optimizer in optimizers:
            optimizer.step()
    return params


@pytest.mark.parametrize(("make", "formula", "options"), ROWS)
def test_all_at_once_equals_one_by_one(make, formula, options):
    def without(step):
        return {step % 4, 5 - step % 2}

    want = alone(make, options, 5, without)
    for threads in (1, 2):
        with machine(None, threads):
            params = parameters()
            optimizer = make([{"params": params[:2]}, {"params": params[2:]}], **options)
            for step in range(5):
                gradients(params, step, without(step))
                optimizer.step()
        for p, q in zip(params, want, strict=True):
            assert p.data.tobytes() == q.data.tobytes() and p.version == q.version


def twice(change):
    """Two steps of Adam, `change(optimizer, params)`, one step; return the optimizer and its parameters."""
    params = parameters()
    optimizer = optim.Adam(params, lr=0.1)
    for step in range(2):
        gradients(params, step)
        optimizer.step()
    change(optimizer, params)
    gradients(params, 9)
    optimizer.step()
    return optimizer, params


def test_a_new_array_of_a_parameter_is_used():
    _, want = twice(lambda optimizer, params: None)
    _, got = twice(lambda optimizer, params: [setattr(p, "data", p.data.copy()) for p in params])
    assert all(np.array_equal(p.data, q.data) for p, q in zip(got, want, strict=True))


def test_a_new_state_is_used():
    def forget(optimizer, params):
        optimizer.state.clear()

    def replace(optimizer, params):
        for state in optimizer.state.values():
            state["exp_avg"] = np.zeros_like(state["exp_avg"])

    optimizer, params = twice(forget)
    assert all(optimizer.state[p]["step"] == 1 for p in params)
    optimizer, params = twice(replace)
    for p in params:
        assert optimizer.state[p]["step"] == 3
        np.testing.assert_allclose(optimizer.state[p]["exp_avg"], 0.1 * p.grad.data, rtol=1e-5)


def test_groups_may_change():
    p, q = Tensor(np.ones(3), requires_grad=True), Tensor(np.ones(3), requires_grad=True)
    optimizer = optim.SGD([p], lr=0.1)
    p.grad = q.grad = Tensor(np.ones(3))
    optimizer.step()
    optimizer.add_param_group({"params": [q], "lr": 1.0})
    optimizer.step()
    assert p.data[0] == pytest.approx(0.8) and q.data[0] == 0
    optimizer.param_groups[0]["params"].pop()
    optimizer.step()
    assert p.data[0] == pytest.approx(0.8) and q.data[0] == -1


def test_momentum_may_come_and_go():
    p = Tensor(np.zeros(3), requires_grad=True)
    optimizer = optim.SGD([p], lr=1.0)
    seen = []
    for momentum in (0.0, 0.5, 0.5, 0.0, 0.5):
        optimizer.param_groups[0]["momentum"] = momentum
        p.grad = Tensor(np.ones(3))
        optimizer.step()
        seen.append(p.data[0])
    assert seen == [-1, -2, -3.5, -4.5, -6.25]


def test_a_copy_is_independent():
    optimizer, params = twice(lambda optimizer, params: None)
    twin = copy.deepcopy(optimizer)
    (group,) = twin.param_groups
    for p, q in zip(params, group["params"], strict=True):
        q.grad = Tensor(p.grad.data.copy())
    before = [p.data.copy() for p in params]
    twin.step()
    assert all(np.array_equal(p.data, b) for p, b in zip(params, before, strict=True))
    optimizer.step()
    assert all(np.array_equal(p.data, q.data) for p, q in zip(params, group["params"], strict=True))


def test_steps_are_saved_as_numbers():
    optimizer, params = twice(lambda optimizer, params: None)
    saved = optimizer.state_dict()
    assert all(type(state["step"]) is int and state["step"] == 3 for state in saved["state"].values())
    saved["state"][0]["step"] = np.array(7)
    optimizer.load_state_dict(saved)
    gradients(params, 0)
    optimizer.step()
    assert [int(optimizer.state[p]["step"]) for p in params] == [8, 4, 4, 4, 4, 4]


def test_a_read_only_parameter_is_refused():
    p = Tensor(np.ones(3), requires_grad=True)
    optimizer = optim.SGD([p], lr=0.1)
    p.grad = Tensor(np.ones(3))
    optimizer.step()
    p.data.flags.writeable = False
    with pytest.raises(ArgumentError, match="sgd: the parameter is read-only"):
        optimizer.step()


class SignDescent(optim.Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    def _update(self, param, grad, state, options):
        state["steps"] = state.get("steps", 0) + 1
        param -= options["lr"] * np.sign(grad)


def test_an_optimizer_of_ones_own():
    params = parameters()
    before = [p.data.copy() for p in params]
    optimizer = SignDescent(params, lr=0.5)
    gradients(params, 0, without={1})
    optimizer.step()
    for i, (p, b) in enumerate(zip(params, before, strict=True)):
        assert np.array_equal(p.data, b if i == 1 else b - np.float32(0.5) * np.sign(p.grad.data)) and p.version == (i != 1)
    assert optimizer.state_dict()["state"][0] == {"steps": 1}
