"""tests.optim.test_optimizers: each optimizer against its formula, written out; groups, state, misuse."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastcnn import Tensor, nn, no_grad, optim
from fastcnn.errors import ArgumentError, DtypeError, StateError

STEPS = 6
START, CENTRE = np.array([1.0, -2.0, 0.5]), np.array([0.3, 0.1, -0.2])


def gradient(p):
    """Of the sum of (p - centre)^4 / 4."""
    return (p - CENTRE) ** 3


def sgd(p, s, t, lr=0.1, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False):
    g = gradient(p) + weight_decay * p
    if momentum:
        s["b"] = g if t == 1 else momentum * s["b"] + (1 - dampening) * g
        g = g + momentum * s["b"] if nesterov else s["b"]
    return p - lr * g


def rmsprop(p, s, t, lr=0.01, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False):
    g = gradient(p) + weight_decay * p
    s["v"] = alpha * s.get("v", 0) + (1 - alpha) * g**2
    s["m"] = alpha * s.get("m", 0) + (1 - alpha) * g
    d = g / (np.sqrt(s["v"] - (s["m"] ** 2 if centered else 0)) + eps)
    s["b"] = momentum * s.get("b", 0) + d
    return p - lr * (s["b"] if momentum else d)


def adam(p, s, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False):
    g = gradient(p) + weight_decay * p
    return p - adam_step(g, s, t, lr, betas, eps, amsgrad)


def adamw(p, s, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False):
    return p * (1 - lr * weight_decay) - adam_step(gradient(p), s, t, lr, betas, eps, amsgrad)


def adam_step(g, s, t, lr, betas, eps, amsgrad):
    s["m"] = betas[0] * s.get("m", 0) + (1 - betas[0]) * g
    s["v"] = betas[1] * s.get("v", 0) + (1 - betas[1]) * g**2
    s["largest"] = np.maximum(s.get("largest", 0), s["v"])
    v = s["largest"] if amsgrad else s["v"]
    return lr * s["m"] / (1 - betas[0] ** t) / (np.sqrt(v) / math.sqrt(1 - betas[1] ** t) + eps)


def nadam(p, s, t, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, momentum_decay=4e-3, decoupled_weight_decay=False):
    g = gradient(p) + (0 if decoupled_weight_decay else weight_decay * p)
    mu, ahead = (betas[0] * (1 - 0.5 * 0.96 ** (i * momentum_decay)) for i in (t, t + 1))
    s["product"] = s.get("product", 1) * mu
    s["m"] = betas[0] * s.get("m", 0) + (1 - betas[0]) * g
    s["v"] = betas[1] * s.get("v", 0) + (1 - betas[1]) * g**2
    d = (1 - mu) / (1 - s["product"]) * g + ahead / (1 - s["product"] * ahead) * s["m"]
    shrink = 1 - lr * weight_decay if decoupled_weight_decay else 1
    return p * shrink - lr * d / (np.sqrt(s["v"] / (1 - betas[1] ** t)) + eps)


def adagrad(p, s, t, lr=1e-2, lr_decay=0.0, weight_decay=0.0, initial_accumulator_value=0.0, eps=1e-10):
    g = gradient(p) + weight_decay * p
    s["sum"] = s.get("sum", initial_accumulator_value) + g**2
    return p - lr / (1 + (t - 1) * lr_decay) * g / (np.sqrt(s["sum"]) + eps)


def lars(p, s, t, lr=1.0, momentum=0.9, weight_decay=0.0, nesterov=False, trust_coefficient=1e-3, eps=1e-8, exclude_1d=True):
    g, norm = gradient(p), np.linalg.norm(p)
    trust = 1.0 if exclude_1d else trust_coefficient * norm / (np.linalg.norm(g) + weight_decay * norm + eps)
    d = trust * (g + (0.0 if exclude_1d else weight_decay) * p)
    s["b"] = d if t == 1 else momentum * s["b"] + d
    return p - lr * (d + momentum * s["b"] if nesterov else s["b"])


def lamb(p, s, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-6, weight_decay=1e-2, exclude_1d=True):
    u = adam_step(gradient(p), s, t, 1.0, betas, eps, False) + (0.0 if exclude_1d else weight_decay) * p
    return p - lr * (1.0 if exclude_1d else np.linalg.norm(p) / np.linalg.norm(u)) * u


ROWS = [
    (optim.SGD, sgd, {"lr": 0.1}),
    (optim.SGD, sgd, {"lr": 0.1, "weight_decay": 0.3}),
    (optim.SGD, sgd, {"lr": 0.05, "momentum": 0.9}),
    (optim.SGD, sgd, {"lr": 0.05, "momentum": 0.9, "dampening": 0.4, "weight_decay": 0.1}),
    (optim.SGD, sgd, {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (optim.RMSprop, rmsprop, {}),
    (optim.RMSprop, rmsprop, {"lr": 0.02, "alpha": 0.8, "eps": 1e-3, "weight_decay": 0.1}),
    (optim.RMSprop, rmsprop, {"momentum": 0.9, "centered": True}),
    (optim.Adam, adam, {}),
    (optim.Adam, adam, {"lr": 0.1, "betas": (0.5, 0.8), "eps": 1e-3, "weight_decay": 0.2}),
    (optim.Adam, adam, {"lr": 0.1, "amsgrad": True}),
    (optim.AdamW, adamw, {}),
    (optim.AdamW, adamw, {"lr": 0.1, "weight_decay": 0.3, "amsgrad": True}),
    (optim.NAdam, nadam, {}),
    (optim.NAdam, nadam, {"lr": 0.1, "betas": (0.8, 0.9), "weight_decay": 0.3, "momentum_decay": 0.1}),
    (optim.NAdam, nadam, {"lr": 0.1, "weight_decay": 0.3, "decoupled_weight_decay": True}),
    (optim.Adagrad, adagrad, {}),
    (optim.Adagrad, adagrad, {"lr": 0.1, "lr_decay": 0.3, "weight_decay": 0.2, "initial_accumulator_value": 0.5}),
    (optim.LARS, lars, {"lr": 0.1}),
    (optim.LARS, lars, {"weight_decay": 0.1, "exclude_1d": False, "trust_coefficient": 0.1, "nesterov": True}),
    (optim.LAMB, lamb, {}),
    (optim.LAMB, lamb, {"lr": 0.1, "exclude_1d": False, "weight_decay": 0.1}),
]
every_row = pytest.mark.parametrize(("make", "formula", "options"), ROWS)


def run(optimizer, p, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        d = p - CENTRE.astype(p.dtype)
        (d**4).sum().backward(np.asarray(0.25, p.dtype))
        optimizer.step()


@every_row
def test_formula(make, formula, options):
    p = Tensor(START.copy(), requires_grad=True)
    run(make([p], **options), p, STEPS)
    expected, state = START, {}
    for t in range(1, STEPS + 1):
        expected = formula(expected, state, t, **options)
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(p.data, expected, rtol=1e-9)


@every_row
def test_state_dict_resumes_exactly(make, formula, options):
    whole, p = Tensor(START.astype(np.float32), requires_grad=True), Tensor(START.astype(np.float32), requires_grad=True)
    run(make([whole], **options), whole, STEPS)
    first = make([p], **options)
    run(first, p, 3)
    saved = first.state_dict()
    run(first, p, 1)  # the saved arrays are copies
    q = Tensor(START.astype(np.float32), requires_grad=True)
    run(make([q], **options), q, 3)
    second = make([q], lr=123.0)
    second.load_state_dict(saved)
    run(second, q, STEPS - 3)
    assert np.array_equal(q.data, whole.data)


@every_row
def test_updates_in_place_in_the_memory_order_of_the_parameter(make, formula, options):
    memory = np.random.default_rng(0).standard_normal((2, 3, 3, 4)).astype(np.float32).transpose(0, 3, 1, 2)
    p = Tensor(memory, requires_grad=True)
    optimizer = make([p], **options)
    for _ in range(2):
        p.grad = Tensor(np.ascontiguousarray(memory) + 1)
        kept = p.grad.data.copy()
        optimizer.step()
        assert np.array_equal(p.grad.data, kept)
    assert p.data is memory and p.version == 2
    for value in optimizer.state[p].values():
        assert value.ndim == 0 or value.strides == memory.strides


def test_groups_have_their_own_options():
    a, b = Tensor([1.0], requires_grad=True), Tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([{"params": [a]}, {"params": b, "lr": 0.5}], lr=0.1)
    (a + b).backward()
    optimizer.step()
    assert a.item() == pytest.approx(0.9) and b.item() == pytest.approx(0.5)
    optimizer.param_groups[0]["lr"] = 1.0
    optimizer.step()
    assert a.item() == pytest.approx(-0.1) and "group 1: 1 parameters, lr=0.5" in repr(optimizer)


def test_parameters_without_gradient_stay():
    a, b = Tensor([1.0], requires_grad=True), Tensor([1.0], requires_grad=True)
    optimizer = optim.Adam([a, b])
    a.backward()
    optimizer.step()
    assert b.item() == 1 and b.version == 0 and b not in optimizer.state


def test_zero_grad():
    p = Tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([p])
    p.backward()
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.item() == 0
    optimizer.zero_grad()
    assert p.grad is None


def test_closure_and_learning():
    layer = nn.Linear(2, 1)
    optimizer = optim.SGD(layer.parameters(), lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = ((layer(np.eye(2, dtype=np.float32)) - 1) ** 2).mean()
        loss.backward()
        return loss

    losses = [optimizer.step(closure).item() for _ in range(60)]
    assert losses[-1] < 0.01 * losses[0] + 1e-4


def test_infinite_parameters_without_decay_stay_infinite():
    p = Tensor([np.inf, 1.0], requires_grad=True)
    p.grad = Tensor([1.0, 1.0])
    optim.SGD([p], lr=0.1).step()
    assert p.data.tolist() == [np.inf, np.float32(0.9)]


P = Tensor([1.0], requires_grad=True)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: optim.SGD([]), ArgumentError, r"^SGD: params is empty"),
        (lambda: optim.SGD(P), DtypeError, r"^SGD: params must be an iterable of tensors or of groups, got one tensor"),
        (lambda: optim.SGD([1.0]), DtypeError, r"^SGD: params must be tensors, got float"),
        (lambda: optim.SGD([P * 2]), ArgumentError, r"^SGD: only leaf tensors can be optimized"),
        (lambda: optim.SGD([P, P]), ArgumentError, r"^SGD: a parameter of shape \(1,\) appears twice"),
        (lambda: optim.SGD([{"params": [P]}, {"params": [P]}]), ArgumentError, r"appears twice"),
        (
            lambda: optim.SGD([{"params": [P], "speed": 1}]),
            ArgumentError,
            r"^SGD: a group has 'params' and some of lr, .* got params, speed",
        ),
        (lambda: optim.SGD([{"lr": 1}]), ArgumentError, r"^SGD: a group has 'params'"),
        (lambda: optim.SGD([P], lr=-1), ArgumentError, r"^SGD: lr must be a finite number of at least 0, got -1"),
        (lambda: optim.SGD([P], lr=math.nan), ArgumentError, r"lr must be a finite number"),
        (lambda: optim.SGD([P], lr="fast"), ArgumentError, r"lr must be a finite number of at least 0, got 'fast'"),
        (lambda: optim.SGD([P], weight_decay=-1), ArgumentError, r"^SGD: weight_decay must be"),
        (lambda: optim.SGD([P], nesterov=True), ArgumentError, r"^SGD: nesterov needs momentum above 0 and dampening 0"),
        (lambda: optim.RMSprop([P], alpha=2), ArgumentError, r"^RMSprop: alpha must be between 0 and 1, got 2"),
        (lambda: optim.Adam([P], betas=(0.9, 1.0)), ArgumentError, r"^Adam: betas must be two numbers from 0 to below 1"),
        (lambda: optim.AdamW([P], betas=(0.9,)), ArgumentError, r"^AdamW: betas must be two numbers"),
        (
            lambda: optim.Adagrad([P], lr_decay=-1),
            ArgumentError,
            r"^Adagrad: lr_decay must be a finite number of at least 0, got -1",
        ),
        (lambda: optim.NAdam([P], momentum_decay=-1), ArgumentError, r"^NAdam: momentum_decay must be a finite number"),
        (
            lambda: optim.LARS([P], trust_coefficient=0),
            ArgumentError,
            r"^LARS: trust_coefficient must be a finite number above 0",
        ),
    ],
)
def test_bad_arguments(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_states_that_do_not_fit():
    p = Tensor(np.ones(3), requires_grad=True)
    optimizer = optim.Adam([p])
    p.sum().backward()
    optimizer.step()
    saved = optimizer.state_dict()
    with pytest.raises(StateError, match=r"^Adam: groups of \[1\] parameters do not fit \[2\]"):
        optim.Adam([Tensor(np.ones(3)), Tensor(np.ones(3))]).load_state_dict(saved)
    with pytest.raises(StateError, match=r"^Adam: exp_avg of parameter 0 has shape \(3,\), the parameter \(2,\)"):
        optim.Adam([Tensor(np.ones(2))]).load_state_dict(saved)
    with pytest.raises(StateError, match=r"^Adam: not a state dict of an optimizer"):
        optimizer.load_state_dict({"weights": 1})
    p.grad = Tensor(np.ones(2))
    with pytest.raises(StateError, match=r"^Adam: gradient \(2,\) float64 does not fit the parameter \(3,\) float64"):
        optimizer.step()
    p.data, p.grad = np.ones(2), Tensor(np.ones(2))
    with no_grad(), pytest.raises(StateError, match=r"^Adam: a parameter changed its shape to \(2,\); make a new optimizer"):
        optimizer.step()
