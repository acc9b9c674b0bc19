"""tests.kernels.test_powers: exp, log, sqrt, abs and powers: units in the last place, special values in each lane, layouts."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import cpu
from fastcnn.errors import ArgumentError, ShapeError
from fastcnn.kernels import activation, elementwise

from .. import harness

KINDS = {"exp": 2, "log": 2, "sqrt": 0.5, "abs": 0}  # name: largest error in units in the last place
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0, 2.5, -2.5, 1e30, -1e30, np.inf, -np.inf, np.nan]
every_isa = pytest.mark.parametrize("isa", harness.ISAS)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def units(got, want):
    """The error of `got` in units in the last place, where `want` (long double) is a normal number of its dtype."""
    near = want.astype(got.dtype)
    normal = np.isfinite(near) & (np.abs(near) >= np.finfo(got.dtype).tiny)
    return np.max(np.abs(got - want)[normal] / np.spacing(np.abs(near))[normal], initial=0)


def values(kind, dtype, count=20_001):
    """Over the whole range of the dtype, and near the roots."""
    rng = np.random.default_rng(0)
    top = np.log(float(np.finfo(dtype).max)) - 0.01  # below e^-87 (e^-708) there are zeros
    if kind in ("exp", "abs"):
        return rng.uniform(-top + 2, top, count).astype(dtype)
    return np.concatenate([np.exp(rng.uniform(-top + 2, top, count)), 1 + rng.uniform(-1e-2, 1e-2, count)]).astype(dtype)


@every_isa
@every_dtype
@pytest.mark.parametrize("kind", KINDS)
def test_units_in_the_last_place(kind, dtype, isa):
    x = values(kind, dtype)
    with cpu.use_isa(isa):
        assert units(activation.plain_forward(x, kind), getattr(np, kind)(x.astype(np.longdouble))) <= KINDS[kind]


@every_isa
@every_dtype
def test_units_of_powers(dtype, isa):
    """|y log x| up to the end of the range, and what people write."""
    rng, top = np.random.default_rng(1), 0.98 * np.log(float(np.finfo(dtype).max))
    x = np.exp(rng.uniform(-20, 20, 20_001)).astype(dtype)
    y = (rng.uniform(-top, top, x.size) / np.maximum(np.abs(np.log(x)), 1e-2)).astype(dtype)
    with cpu.use_isa(isa):
        assert units(elementwise.pow(x, y), x.astype(np.longdouble) ** y) <= 2 + top / 16
        for number in (1.7, -0.3, 2, 3, 0.5, -1):
            want = x.astype(np.longdouble) ** dtype(number)
            assert units(elementwise.pow(x, dtype(number)), want) <= 2, number


@every_isa
@every_dtype
def test_special_values_in_each_lane(dtype, isa):
    x, y = (a.ravel() for a in np.meshgrid(np.array(SPECIAL, dtype), np.array(SPECIAL, dtype)))
    with np.errstate(all="ignore"), cpu.use_isa(isa):
        for shift in range(0, 17, 3):
            a, b = np.roll(x, shift), np.roll(y, shift)
            got, want = elementwise.pow(a, b), a**b
            want[np.abs(want) < np.finfo(dtype).tiny] *= 0  # with its sign
            np.testing.assert_allclose(got, want, rtol=1e-5 if dtype == np.float32 else 1e-13)
            assert np.array_equal(np.signbit(got[want == 0]), np.signbit(want[want == 0]))
            for kind in KINDS:
                np.testing.assert_allclose(activation.plain_forward(a, kind), getattr(np, kind)(a), rtol=1e-6)


@every_dtype
def test_slopes(dtype):
    rng = np.random.default_rng(2)
    x, y, dy = (rng.uniform(0.5, 2, (3, 5, 7)).astype(dtype) for _ in range(3))
    tight = {"rtol": 1e-6 if dtype == np.float32 else 1e-14}
    np.testing.assert_allclose(elementwise.pow_slope(x, y), y * x ** (y - 1), **tight)
    np.testing.assert_allclose(elementwise.pow_log(x, y), x * np.log(y), **tight)
    assert not elementwise.pow_slope(x, dtype(0)).any() and not elementwise.pow_log(x * 0, y * 0).any()
    for kind, slope in (("exp", x), ("log", 1 / x), ("sqrt", 0.5 / x), ("abs", np.sign(x))):
        np.testing.assert_allclose(activation.plain_backward(dy, x, kind), dy * slope, **tight)
    signs = np.array([-2, -0.0, 0.0, 3], dtype)
    assert activation.plain_backward(np.ones(4, dtype), signs, "abs").tolist() == [-1, 0, 0, 1]


def test_layouts_and_threads():
    x = np.random.default_rng(3).uniform(0.5, 2, (3, 4, 5, 6)).astype(np.float32)
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    for a in (x, last, x[:, ::2, :, ::-1], x[:, :1]):
        got = activation.plain_forward(a, "exp", threads=2)
        np.testing.assert_allclose(got, np.exp(a), rtol=1e-6)
        assert got.strides == np.exp(a).strides or not a.flags.c_contiguous
        np.testing.assert_allclose(activation.plain_backward(x[: len(a)], x, "log"), np.ones_like(x), rtol=1e-6)
        for other in (a, a[:1], np.float32(1.3), a[..., :1]):
            want = elementwise.pow(np.ascontiguousarray(a), np.ascontiguousarray(np.broadcast_to(other, a.shape)))
            np.testing.assert_array_equal(elementwise.pow(a, other, threads=2), want)
    assert last.strides == activation.plain_forward(last, "log").strides


def test_bad_arguments():
    with pytest.raises(ArgumentError, match=r"^plain_forward: kind must be one of exp, log, sqrt, abs, got 'cos'"):
        activation.plain_forward(np.ones(3), "cos")
    with pytest.raises(ArgumentError, match=r"^plain_backward: kind must be one of"):
        activation.plain_backward(np.ones(3), np.ones(3), "cos")
    with pytest.raises(ShapeError, match=r"^exp: dy must have shape \(3,\), got dy.shape=\(4,\)"):
        activation.plain_backward(np.ones(4), np.ones(3), "exp")
