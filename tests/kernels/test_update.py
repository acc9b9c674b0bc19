"""tests.kernels.test_update: the optimizers' updates against their formulas in NumPy, for every ISA, thread count and order."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import ArgumentError, DtypeError, ShapeError
from fastcnn.kernels import update

from ..harness import ISAS, machine

SHAPES = ((), (1,), (7,), (33,), (5, 3), (4, 3, 2, 2), (40000,), (0, 3))
STEPS = 3


def sgd(p, g, s, *, lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, first=False):
    d = g + weight_decay * p
    if momentum:
        s["buf"][...] = d if first else momentum * s["buf"] + (1 - dampening) * d
        d = d + momentum * s["buf"] if nesterov else s["buf"]
    p -= lr * d


def rmsprop(p, g, s, *, lr, alpha, eps, momentum=0.0, weight_decay=0.0, centered=False):
    d = g + weight_decay * p
    s["square"][...] = alpha * s["square"] + (1 - alpha) * d * d
    square = s["square"]
    if centered:
        s["mean"][...] = alpha * s["mean"] + (1 - alpha) * d
        square = square - s["mean"] ** 2
    d = d / (np.sqrt(square) + eps)
    if momentum:
        s["buf"][...] = momentum * s["buf"] + d
        d = s["buf"]
    p -= lr * d


def adam(p, g, s, *, step, lr, beta1, beta2, eps, weight_decay=0.0, decoupled=False, amsgrad=False):
    if decoupled:
        p *= 1 - lr * weight_decay
    d = g if decoupled else g + weight_decay * p
    s["m"][...] = beta1 * s["m"] + (1 - beta1) * d
    s["v"][...] = beta2 * s["v"] + (1 - beta2) * d * d
    v = s["v"]
    if amsgrad:
        s["largest"][...] = np.maximum(s["largest"], v)
        v = s["largest"]
    p -= lr / (1 - beta1**step) * s["m"] / (np.sqrt(v) / np.sqrt(1 - beta2**step) + eps)


STATES = {"sgd": ("buf",), "rmsprop": ("square", "mean", "buf"), "adam": ("m", "v", "largest")}
TRUTH = {"sgd": sgd, "rmsprop": rmsprop, "adam": adam}
CASES = {
    "sgd": ("sgd", {"lr": 0.1}),
    "sgd_decay": ("sgd", {"lr": 0.1, "weight_decay": 0.01}),
    "sgd_momentum": ("sgd", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    "sgd_dampening": ("sgd", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    "sgd_nesterov": ("sgd", {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1}),
    "rmsprop": ("rmsprop", {"lr": 0.01, "alpha": 0.9, "eps": 1e-6}),
    "rmsprop_momentum": ("rmsprop", {"lr": 0.01, "alpha": 0.9, "eps": 1e-6, "momentum": 0.9, "weight_decay": 0.1}),
    "rmsprop_centered": ("rmsprop", {"lr": 0.01, "alpha": 0.9, "eps": 1e-3, "momentum": 0.5, "centered": True}),
    "adam": ("adam", {"lr": 0.01, "beta1": 0.9, "beta2": 0.99, "eps": 1e-6}),
    "adam_decay": ("adam", {"lr": 0.01, "beta1": 0.9, "beta2": 0.99, "eps": 1e-6, "weight_decay": 0.1}),
    "adamw": ("adam", {"lr": 0.01, "beta1": 0.9, "beta2": 0.99, "eps": 1e-6, "weight_decay": 0.1, "decoupled": True}),
    "amsgrad": ("adam", {"lr": 0.01, "beta1": 0.9, "beta2": 0.9, "eps": 1e-6, "amsgrad": True}),
}


def kernel_step(op, p, g, states, options, step, threads=1):
    """One step of the kernel; `states` in the order of its arguments, None where the options do without."""
    options = {k: v for k, v in options.items() if k not in ("centered", "amsgrad")}
    if op == "sgd":
        options["first"] = step == 1
    if op == "adam":
        options["step"] = step
    getattr(update, op)(p, g, *states, **options, threads=threads)


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
    states = [np.zeros_like(p) if needed else None for needed in used(op, options)]
    q, truth = p.astype(np.float64), {name: np.zeros(shape) for name in STATES[op]}
    for step, g in enumerate(gradients, 1):
        before = g.tobytes()
        kernel_step(op, p, g, states, options, step, threads)
        assert g.tobytes() == before, "the gradient was changed"
        extra = {"first": step == 1} if op == "sgd" else {"step": step} if op == "adam" else {}
        TRUTH[op](q, g.astype(np.float64), truth, **options, **extra)
    return [p, *states], [q, *(truth[name] for name in STATES[op])]


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


@pytest.mark.parametrize("case", CASES)
def test_same_bits_for_every_thread_count(case):
    results = [run(case, (50001,), "float32", threads=threads)[0] for threads in (1, 2, 3)]
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert a is None or a.tobytes() == b.tobytes()


def test_state_in_another_order():
    p, (g, *_) = arrays((6, 5, 3, 3), "float32", "C")
    buf = np.asfortranarray(np.ones_like(p))
    plain = np.ones_like(p)
    q = p.copy()
    update.sgd(p, g, buf, lr=0.1, momentum=0.9)
    update.sgd(q, g, plain, lr=0.1, momentum=0.9)
    assert np.array_equal(p, q) and np.array_equal(buf, plain)


def test_errors():
    p = np.ones((2, 3), np.float32)
    with pytest.raises(ShapeError, match="sgd: grad must have the shape of the parameter"):
        update.sgd(p, p.T, None, lr=0.1)
    with pytest.raises(DtypeError, match="sgd: the parameter must be float32 or float64, got int64"):
        update.sgd(np.ones(3, np.int64), p, None, lr=0.1)
    with pytest.raises(ArgumentError, match="rmsprop: square_avg must be writeable float32"):
        update.rmsprop(p, p, np.ones((2, 3)), lr=0.1)
    with pytest.raises(ArgumentError, match="adam: step must be at least 1"):
        update.adam(p, p, p.copy(), p.copy(), step=0, lr=0.1)
    frozen = p.copy()
    frozen.flags.writeable = False
    with pytest.raises(ArgumentError, match="sgd: the parameter is read-only"):
        update.sgd(frozen, p, None, lr=0.1)
