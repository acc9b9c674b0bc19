"""tests.kernels.test_update: the optimizers' updates against their formulas in NumPy, for every ISA, thread count and order."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import ArgumentError, DtypeError, ShapeError
from fastcnn.kernels.update import Update

from ..harness import ISAS, machine
from .rules import STATES, TRUTH

SHAPES = ((), (1,), (7,), (33,), (5, 3), (4, 3, 2, 2), (40000,), (0, 3))
STEPS = 3


CASES = {
    "sgd": ("sgd", {"lr": 0.1}),
    "sgd_decay": ("sgd", {"lr": 0.1, "weight_decay": 0.01}),
    "sgd_momentum": ("sgd", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    "sgd_dampening": ("sgd", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    "sgd_nesterov": ("sgd", {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1}),
    "rmsprop": ("rmsprop", {"lr": 0.01, "beta2": 0.9, "eps": 1e-6}),
    "rmsprop_momentum": ("rmsprop", {"lr": 0.01, "beta2": 0.9, "eps": 1e-6, "momentum": 0.9, "weight_decay": 0.1}),
    "rmsprop_centered": ("rmsprop", {"lr": 0.01, "beta2": 0.9, "eps": 1e-3, "momentum": 0.5, "centered": True}),
    "adam": ("adam", {"lr": 0.01, "beta1": 0.9, "beta2": 0.99, "eps": 1e-6}),
    "adam_decay": ("adam", {"lr": 0.01, "beta1": 0.9, "beta2": 0.99, "eps": 1e-6, "weight_decay": 0.1}),
    "adamw": ("adam", {"lr": 0.01, "beta1": 0.9, "beta2": 0.99, "eps": 1e-6, "weight_decay": 0.1, "decoupled": True}),
    "amsgrad": ("adam", {"lr": 0.01, "beta1": 0.9, "beta2": 0.9, "eps": 1e-6, "amsgrad": True}),
    "nadam": ("nadam", {"lr": 0.01, "beta1": 0.9, "beta2": 0.9, "eps": 1e-6, "momentum_decay": 0.2, "weight_decay": 0.1}),
    "adagrad": ("adagrad", {"lr": 0.01, "eps": 1e-6, "lr_decay": 0.1, "weight_decay": 0.1}),
    "lars": ("lars", {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1, "trust_coefficient": 0.02, "eps": 1e-6}),
    "lamb": ("lamb", {"lr": 0.01, "beta1": 0.9, "beta2": 0.99, "eps": 1e-6, "weight_decay": 0.1}),
}


def bound(op, parameters, options):
    """Return (Update, states of each parameter) with every parameter bound; odd ones belong to a second group."""
    names = tuple(name if needed else None for name, needed in zip(STATES[op], used(op, options), strict=True))
    update = Update(op, len(parameters), 2)
    states = []
    for i, p in enumerate(parameters):
        states.append({name: np.zeros_like(p) for name in names if name})
        product = np.ones(()) if op == "nadam" else None
        update.bind(i, i % 2, p, states[i], names, np.array(0), product)
    for group in range(2):
        update.set_options(group, **{k: v for k, v in options.items() if k not in ("centered", "amsgrad")})
    return update, states


def used(op, options):
    """Which states the options need."""
    by_name = {"buf": bool(options.get("momentum")), "mean": options.get("centered"), "largest": options.get("amsgrad")}
    return [by_name.get(name, True) for name in STATES[op]]


def arrays(shape, dtype, order):
    rng = np.random.default_rng(0)
    p = np.asarray(rng.standard_normal(shape)).astype(dtype)
    gradients = [np.asarray(rng.standard_normal(shape)).astype(dtype) for _ in range(STEPS)]
    if order == "channels_last" and p.ndim == 4:
        p = np.ascontiguousarray(p.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    if order == "gradient_channels_last" and p.ndim == 4:
        gradients = [np.ascontiguousarray(g.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) for g in gradients]
    if order == "with_holes":
        p = np.repeat(p[..., None], 2, axis=-1)[..., 0]
    return p, gradients


def run(case, shape, dtype, order="C", threads=1):
    """Return (parameter, states) after STEPS steps of the kernel and the same in float64 by the formula."""
    op, options = CASES[case]
    p, gradients = arrays(shape, dtype, order)
    update, (states,) = bound(op, [p], options)
    q, truth = p.astype(np.float64), {name: np.zeros(shape) for name in STATES[op]}
    for step, g in enumerate(gradients, 1):
        before = g.tobytes()
        assert update.step([p], [g], [states], threads) == []
        assert g.tobytes() == before, "the gradient was changed"
        extra = {"first": step == 1} if op in ("sgd", "lars") else {} if op == "rmsprop" else {"step": step}
        TRUTH[op](q, g.astype(np.float64), truth, **options, **extra)
    return [p, *(states.get(name) for name in STATES[op])], [q, *(truth[name] for name in STATES[op])]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("case", CASES)
def test_equals_formula(case, shape, dtype):
    for isa in ISAS:
        for threads in (1, 2):
            with machine(isa, threads):
                got, want = run(case, shape, dtype, threads=threads)
            for g, w in zip(got, want, strict=True):
                if g is not None:
                    np.testing.assert_allclose(g, w, rtol=64 * np.finfo(dtype).eps, atol=64 * np.finfo(dtype).eps)


@pytest.mark.parametrize("order", ["channels_last", "gradient_channels_last", "with_holes"])
@pytest.mark.parametrize("case", CASES)
def test_every_memory_order(case, order):
    got, _ = run(case, (6, 5, 3, 3), "float32", order)
    want, _ = run(case, (6, 5, 3, 3), "float32")
    for g, w in zip(got, want, strict=True):
        assert g is None or np.array_equal(g, w)


def run_list(case, threads, dtype="float32"):
    """Three steps over a list of parameters of many sizes, some without gradient; return all arrays."""
    op, options = CASES[case]
    rng = np.random.default_rng(1)
    sizes = [3, 70000, 1, 0, 4096, 16, 9000, 5, 64, 30001]
    parameters = [rng.standard_normal(n).astype(dtype) for n in sizes]
    update, states = bound(op, parameters, options)
    for step in range(STEPS):
        gradients = [rng.standard_normal(n).astype(dtype) if (i + step) % 4 else None for i, n in enumerate(sizes)]
        assert update.step(parameters, gradients, states, threads) == []
    return parameters + [a for state in states for a in state.values()]


@pytest.mark.parametrize("case", CASES)
def test_same_bits_for_every_thread_count(case):
    one, *others = (run_list(case, threads) for threads in (1, 2, 3, 7))
    for other in others:
        assert all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("case", CASES)
def test_a_list_equals_one_by_one(case):
    op, options = CASES[case]
    rng = np.random.default_rng(2)
    shapes = ((40, 3, 3, 3), (40,), (7,), (300, 40))
    dtypes = ("float32", "float64", "float32", "float32")
    starts = [rng.standard_normal(s).astype(t) for s, t in zip(shapes, dtypes, strict=True)]
    gradients = [[rng.standard_normal(s).astype(t) for s, t in zip(shapes, dtypes, strict=True)] for _ in range(STEPS)]
    together = [p.copy() for p in starts]
    update, states = bound(op, together, options)
    for row in gradients:
        update.step(together, row, states, 2)
    for i, start in enumerate(starts):
        update, states = bound(op, [start], options)
        for row in gradients:
            update.step([start], [row[i]], states)
        assert start.tobytes() == together[i].tobytes()


@pytest.mark.parametrize("case", CASES)
def test_same_bits_at_every_address(case):
    op, options = CASES[case]
    rng = np.random.default_rng(3)
    start, gradient = (rng.standard_normal(203).astype(np.float32) for _ in range(2))
    for isa in ISAS:
        results = set()
        for offset in range(16):
            memory = np.empty(256, np.float32)
            p = memory[offset : offset + start.size]
            p[...] = start
            with machine(isa, 1):
                update, states = bound(op, [p], options)
                for _ in range(STEPS):
                    update.step([p], [gradient], states)
            results.add(p.tobytes())
        assert len(results) == 1


def test_groups_and_counts_are_their_own():
    p, q = np.ones(3, np.float32), np.ones(3, np.float32)
    counts = [np.array(0), np.array(9)]
    update = Update("adam", 2, 2)
    states = [{"m": np.zeros_like(p), "v": np.zeros_like(p)} for _ in range(2)]
    for i, a in enumerate((p, q)):
        update.bind(i, i, a, states[i], ("m", "v", None), counts[i])
        update.set_options(i, lr=0.1 * (i + 1), beta1=0.9, beta2=0.9)
    update.step([p, q], [p.copy(), q.copy()], states)
    assert [int(c) for c in counts] == [1, 10]
    wanted = [1 - 0.1 * (i + 1) * (0.1 / (1 - 0.9**t)) / np.sqrt(0.1 / (1 - 0.9**t)) for i, t in enumerate((1, 10))]
    np.testing.assert_allclose([p[0], q[0]], wanted, rtol=1e-6)
    update.step([p, q], [None, q.copy()], states)
    assert [int(c) for c in counts] == [1, 11]


def test_maximize_climbs():
    p, q, g = np.ones(5, np.float32), np.ones(5, np.float32), np.arange(5, dtype=np.float32)
    for a, gradient, maximize in ((p, g, True), (q, -g, False)):
        update, states = bound("sgd", [a], {"lr": 0.1, "weight_decay": 0.5, "maximize": maximize})
        update.step([a], [gradient], states)
    assert np.array_equal(p, q) and p[4] > 1


def test_state_in_another_order_is_replaced():
    p, (g, *_) = arrays((6, 5, 3, 3), "float32", "C")
    q = p.copy()
    for a, buf in ((p, np.asfortranarray(np.ones_like(p))), (q, np.ones_like(p))):
        state = {"buf": buf}
        update = Update("sgd", 1, 1)
        update.bind(0, 0, a, state, ("buf",), np.array(1))
        update.set_options(0, lr=0.1, momentum=0.9)
        assert update.step([a], [g], [state]) == [] and state["buf"].flags.c_contiguous
    assert np.array_equal(p, q)


def test_changed_arrays_are_reported_and_nothing_is_done():
    p, g = np.ones(3, np.float32), np.ones(3, np.float32)
    update, states = bound("sgd", [p], {"lr": 0.1, "momentum": 0.9})
    for data, grad, state in (
        (p.copy(), g, states[0]),
        (p, np.ones(4, np.float32), states[0]),
        (p, np.ones(3), states[0]),
        (p, g, dict(states[0])),
        (p, g, None),
    ):
        assert update.step([data], [grad], [state]) == [0]
    states[0]["buf"] = states[0]["buf"].copy()
    assert update.step([p], [g], states) == [0]
    assert (p == 1).all()


def test_errors():
    p = np.ones((2, 3), np.float32)
    frozen = p.copy()
    frozen.flags.writeable = False
    with pytest.raises(ArgumentError, match="Update: rule must be one of sgd, rmsprop, adam"):
        Update("newton", 1, 1)
    update = Update("rmsprop", 1, 1)
    one, rest = np.array(0), (None, None)
    for array, state, count, error, text in (
        (np.ones(3, np.int64), {}, one, DtypeError, "rmsprop: the parameter must be float32 or float64, got int64"),
        (frozen, {}, one, ArgumentError, "rmsprop: the parameter is read-only"),
        (p, {"square": np.ones((2, 3))}, one, ArgumentError, "rmsprop: square must be a writeable float32 array, got float64"),
        (p, {"square": p.T.copy()}, one, ShapeError, "rmsprop: square must have the shape of the parameter"),
        (p, {"square": p.copy()}, np.array(1.0), ArgumentError, "rmsprop: the count of steps must be one writeable int64"),
    ):
        with pytest.raises(error, match=text):
            update.bind(0, 0, array, state, ("square", *rest), count)
    with pytest.raises(ArgumentError, match=r"rmsprop: needs 1 of 3 states, got \(None, None, None\)"):
        update.bind(0, 0, p, {}, (None, *rest), one)
    with pytest.raises(ArgumentError, match="nadam: the product of momenta must be one writeable float64, got None"):
        Update("nadam", 1, 1).bind(0, 0, p, {}, ("m", "v"), one)
    with pytest.raises(ArgumentError, match="bind: no parameter 1 of group 0"):
        update.bind(1, 0, p, {}, (), one)
    with pytest.raises(ArgumentError, match="set_options: group must be from 0 to 0, got 1"):
        update.set_options(1, lr=0.1)
    with pytest.raises(ArgumentError, match="aim: 2 parameters, 1 gradients and 1 states for 1"):
        update.step([p, p], [p], [{}])
