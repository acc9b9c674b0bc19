"""tests.kernels.test_choice: extremes and choices against the reference: layouts, broadcasting, special values, ISAs, threads."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import DtypeError, ShapeError
from fastcnn.kernels import choice
from fastcnn.reference import choice as reference

from .. import harness
from .test_elementwise import SHAPES
from .test_entry import recorded

RNG = np.random.default_rng(0)
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.5, np.inf, -np.inf, np.nan, -np.nan]
every_isa = pytest.mark.parametrize("isa", harness.ISAS)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def draw(shape, dtype, last=False):
    """Whole numbers of -2 to 2, so that many are equal, with a NaN now and then; images in channels-last memory when `last`."""
    x = RNG.integers(-2, 3, shape).astype(dtype)
    x = np.where(RNG.random(shape) < 0.05, dtype(np.nan), x)
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) if last and x.ndim == 4 else x


def masks(shape, last):
    """Conditions of the shape, in two memory orders, with an axis reversed, and ones that broadcast to it."""
    c = np.asarray(draw(shape, np.float32, last) > 0)
    views = (c, np.ascontiguousarray(c), c[..., ::-1], c[:1], c[..., :1]) if shape else (c,)
    return *(view for view in views if view.size or not c.size), np.array(True)


def same(got, want, dtype):
    np.testing.assert_array_equal(got, want, strict=True)
    assert got.dtype == dtype


@every_isa
@every_dtype
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_equals_the_reference(shapes, last, threads, dtype, isa):
    a, b = (draw(shape, dtype, last) for shape in shapes)
    with harness.machine(isa, threads):
        for x, y in ((a, b), (b, a), (a, dtype(1)), (dtype(1), a), (a[..., ::-1] if a.ndim else a, b)):
            same(choice.maximum(x, y, threads=threads), reference.maximum(x, y), dtype)
            same(choice.minimum(x, y, threads=threads), reference.minimum(x, y), dtype)
            dz = draw(np.broadcast_shapes(np.shape(x), np.shape(y)), dtype, not last)
            got = choice.share(dz, x, y, threads=threads)
            same(got, reference.share(dz, x, y), dtype)
            assert got.strides == np.empty_like(dz).strides
            for c in masks(dz.shape, last):
                same(choice.where(c, x, y, threads=threads), reference.where(c, x, y), dtype)
        c = masks(np.broadcast_shapes(*shapes), last)[0]  # larger than both
        for x, y in ((a[:1], b[:1]), (a[..., :1], dtype(1))) if a.ndim and c.size else ():
            same(choice.where(c, x, y, threads=threads), reference.where(c, x, y), dtype)


@every_isa
@every_dtype
def test_special_values_in_every_lane(dtype, isa):
    a, b = (np.array(x, dtype) for x in np.meshgrid(SPECIAL * 5, SPECIAL * 5 + [3.0]))
    with harness.machine(isa, 1):
        for begin in range(3):
            x, y = a[:, begin:], b[:, begin:]
            same(choice.maximum(x, y), np.maximum(x, y), dtype)
            same(choice.minimum(x, y), np.minimum(x, y), dtype)
            dz = np.full(x.shape, np.inf, dtype)  # what is not taken gets 0, not 0 * inf
            same(choice.share(dz, x, y), reference.share(dz, x, y), dtype)
            got = choice.where(x > 0, x, y)
            assert got.tobytes() == reference.where(x > 0, x, y).tobytes()


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint64, np.int16, np.uint8, np.bool_])
def test_choices_of_other_types_keep_their_bits(dtype):
    a, b = (RNG.integers(0, 2**62, (5, 70)).astype(dtype) for _ in range(2))
    for x, y in ((a, b), (a, b[0]), (a.T, dtype(1)), (dtype(1), b[:, ::-1])):
        c = RNG.random(np.broadcast_shapes(np.shape(x), np.shape(y))) < 0.5
        same(choice.where(c, x, y, threads=2), np.where(c, x, y), dtype)


def test_more_axes_than_the_kernel_walks_and_memory_it_cannot_read():
    a = draw((1,) * 7 + (2, 3), np.float32)
    same(choice.where(a > 0, a, np.float32(2)), np.where(a > 0, a, np.float32(2)), np.float32)
    same(choice.share(a, a, np.float32(1)), reference.share(a, a, np.float32(1)), np.float32)
    odd = np.frombuffer(b"x" + draw((40,), np.float32).tobytes(), np.uint8)[1:].view(np.float32)
    same(choice.where(odd > 0, odd, -odd), np.where(odd > 0, odd, -odd), np.float32)
    swapped = odd.astype(">f4")
    same(choice.maximum(swapped, np.float32(0)), np.maximum(odd, 0), np.float32)


@every_dtype
def test_a_replay_follows_operands_and_condition(dtype):
    a, b, dz = (draw((3, 4, 50, 60), dtype, last) for last in (True, False, True))
    c = RNG.random((4, 1, 60)) < 0.5

    def step():
        larger, smaller = choice.maximum(a, b, threads=2), choice.minimum(a, dtype(1), threads=2)
        return larger, smaller, choice.share(dz, b, a, threads=2), choice.where(c, larger, b, threads=2)

    recording, results = recorded(step)
    before = [y.copy() for y in results]
    a[...], b[...], dz[...] = (draw(a.shape, dtype) for _ in range(3))
    c[...] = ~c
    recording.replay()
    assert recording.refused is None
    for got, old, fresh in zip(results, before, step(), strict=True):
        assert np.array_equal(got, fresh, equal_nan=True) and not np.array_equal(got, old, equal_nan=True)


def test_bad_arguments():
    x = np.ones((2, 3), np.float32)
    with pytest.raises(DtypeError, match=r"^where: a bool array, and two arrays of one dtype or one and a number, got float32"):
        choice.where(x, x, x)
    with pytest.raises(DtypeError, match=r"^where: a bool array"):
        choice.where(x > 0, x, x.astype(np.float64))
    with pytest.raises(DtypeError, match=r"^share: dz must be float32 or float64, got int64"):
        choice.share(np.ones(3, np.int64), x, x)
    with pytest.raises(ShapeError, match=r"^share: a and b must broadcast to the shape of dz, got \(2, 3\), \(1, 3\) and \(3,\)"):
        choice.share(x[0], x, x[:1])
