"""tests.kernels.test_pixels: scale and shift of channels, maps of rows and columns, boxes: against NumPy, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import cpu
from fastcnn.errors import ArgumentError, DtypeError, ShapeError
from fastcnn.kernels.pixels import Scale, fill_boxes, gather_pixels, map_pixels, scale_channels

from ..guarded import lay

SHAPES = ((5, 1, 7, 9), (4, 3, 5, 6), (3, 2, 1, 33), (2, 17, 3, 3), (2, 100, 2, 5), (1, 3, 40, 40), (0, 3, 4, 4), (3, 0, 4, 4))
DTYPES = ("u1", "f4", "f8")


def batch(shape, dtype, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(dtype)


def layouts(x):
    """Yield x in C order, channels-last, and as a window with a negative stride that begins at an odd address."""
    yield x
    yield np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    raw = np.zeros(x.nbytes + 1, "u1")[1:].view(x.dtype).reshape(x.shape)[..., ::-1]
    raw[...] = x
    yield raw


def is_channels_last(y):
    return y.transpose(0, 2, 3, 1).flags.c_contiguous


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_scale_channels(shape, dtype):
    rng = np.random.default_rng(1)
    real = np.float64 if dtype == "f8" else np.float32
    scale, shift = rng.random(shape[1]).astype(real), rng.random(shape[1]).astype(real)
    for x in layouts(batch(shape, dtype)):
        wanted = x.astype(real) * scale[:, None, None] + shift[:, None, None]
        y = scale_channels(x, scale, shift)
        np.testing.assert_array_equal(y, wanted)
        assert y.dtype == real and is_channels_last(y)
        np.testing.assert_array_equal(scale_channels(x, 2, -1), x.astype(real) * 2 - 1)


def map_by_definition(x, rows, columns, fill):
    y = np.empty((*x.shape[:2], rows.shape[1], columns.shape[1]), x.dtype)
    for n, i, j in np.ndindex(len(x), *y.shape[2:]):
        r, c = rows[n, i], columns[n, j]
        y[n, :, i, j] = x[n, :, r, c] if r >= 0 and c >= 0 else fill
    return y


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_map_pixels(shape, dtype):
    n, c, h, w = shape
    rng = np.random.default_rng(2)
    fill = np.arange(c) + 1
    run = np.arange(w + 4) - 2  # a window with a border on both sides
    kinds = (
        (rng.integers(-1, h, (n, 6)), rng.integers(-1, w, (n, 8))),
        (np.tile(np.arange(h)[::-1], (n, 1)), np.tile(np.where((run < 0) | (run >= w), -1, run), (n, 1))),
        (np.tile(np.arange(h), (n, 1)), np.tile(np.arange(w)[::-1], (n, 1))),
        (np.full((n, 2), h - 1), np.full((n, 3), -1)),
        (np.zeros((n, 0), int), np.zeros((n, 3), int)),
        (np.zeros((n, 1), int), np.tile([w - 1, 0, w - 1], (n, 1))),
    )
    for x in layouts(batch(shape, dtype)):
        for rows, columns in kinds:
            y = map_pixels(x, rows, columns, fill)
            np.testing.assert_array_equal(y, map_by_definition(x, rows, columns, fill))
            assert y.dtype == x.dtype and is_channels_last(y)


def moved_by_definition(x, windows, sizes, fill):
    for stage, (oh, ow) in zip(windows, sizes, strict=True):
        places = stage[:, :, None]
        rows, columns = places[:, 0] + places[:, 1] * np.arange(oh), places[:, 2] + places[:, 3] * np.arange(ow)
        rows, columns = (np.where((at >= 0) & (at < size), at, -1) for at, size in ((rows, x.shape[2]), (columns, x.shape[3])))
        x = map_by_definition(x, rows, columns, fill)
    return x


def drawn_windows(rng, n, stages):
    """Windows that begin anywhere near the image, in either direction."""
    start, step = rng.integers(-5, 12, (stages, n, 2)), rng.choice([-1, 1], (stages, n, 2))
    return np.stack([start[..., 0], step[..., 0], start[..., 1], step[..., 1]], -1)


@pytest.mark.parametrize("isa", cpu.available())
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gather_pixels(shape, dtype, isa):
    n, c, h, w = shape
    rng = np.random.default_rng(4)
    fill, scale, shift = np.arange(c) + 1, rng.random(c).astype("f4"), rng.random(c).astype("f4")
    scaled = Scale(scale, shift, c, dtype)
    real = np.float64 if dtype == "f8" else np.float32
    index = rng.integers(-n, n, 11) if n else np.zeros(0, int)
    kinds = (([], []), ([[[0, 1, w - 1, -1]] * len(index)], [(h, w)]), ([[[-1, 1, 1, 1]] * len(index)], [(h, w)]))
    drawn = [(drawn_windows(rng, len(index), len(sizes)), sizes) for sizes in ([(h, w)], [(h + 3, 8), (5, w), (6, 33)])]
    x = batch(shape, dtype)
    with cpu.use_isa(isa):
        for windows, sizes in (*kinds, *drawn):
            windows, sizes = np.reshape(windows, (len(sizes), len(index), 4)).astype(int), np.reshape(sizes, (-1, 2)).astype(int)
            wanted = moved_by_definition(x[index], windows, sizes, fill)
            y = gather_pixels(x, index, windows, sizes, fill)
            np.testing.assert_array_equal(y, wanted)
            assert y.dtype == x.dtype and is_channels_last(y)
            y = gather_pixels(x, index, windows, sizes, fill, scaled)
            np.testing.assert_array_equal(y, wanted.astype(real) * scale[:, None, None] + shift[:, None, None])
            assert y.dtype == real and is_channels_last(y)
        np.testing.assert_array_equal(gather_pixels(x), x)


def test_gather_pixels_in_rows_of_every_length_and_on_threads():
    rng = np.random.default_rng(5)
    for width in range(1, 40):
        for channels in (1, 2, 3, 4, 5):
            x = batch((3, channels, 2, width), "u1", width)
            windows = drawn_windows(rng, 3, 1)
            windows[0, :, 1], windows[0, 0, 2:], windows[0, 1, 2:] = 1, (width - 1, -1), (0, 1)
            wanted = moved_by_definition(x, windows, [(3, width)], 7)
            scaled = Scale(0.5, 1, channels, "u1")
            for end in ("start", "end"):  # of a page beside which nothing may be read
                held = lay(x, end, "nhwc")
                np.testing.assert_array_equal(gather_pixels(held, None, windows, [(3, width)], 7), wanted)
                np.testing.assert_array_equal(gather_pixels(held, [2, 0], scale=scaled), x[[2, 0]] * 0.5 + 1)
    x, index = batch((20, 3, 64, 64), "u1"), rng.integers(20, size=100)
    scaled, windows = Scale(0.1, 1, 3, "u1"), drawn_windows(rng, 100, 2)
    one, *others = (gather_pixels(x, index, windows, [(64, 64)] * 2, 3, scaled, threads=t) for t in (1, 2, 3))
    for other in others:
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_fill_boxes(shape, dtype):
    n, c, h, w = shape
    rng = np.random.default_rng(3)
    boxes = np.stack([rng.integers(-3, size + 4, n) for size in (h, h, w, w)], 1)
    fill = np.arange(c) + 1
    for x in layouts(batch(shape, dtype)):
        before, wanted = x.copy(), x.copy()
        for image, (top, bottom, left, right) in zip(wanted, boxes, strict=True):
            image[:, max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = fill[:, None, None]
        y = fill_boxes(x, boxes, fill)
        np.testing.assert_array_equal(y, wanted)
        np.testing.assert_array_equal(x, before)
        assert y.dtype == x.dtype and is_channels_last(y) and not np.shares_memory(x, y)


def test_refusals():
    x = batch((2, 3, 4, 5), "u1")
    rows, columns = np.zeros((2, 4), int), np.zeros((2, 5), int)
    for call, error, text in (
        (lambda: scale_channels(x[0], 1, 0), ShapeError, "4 axes"),
        (lambda: scale_channels(x.astype("i4"), 1, 0), DtypeError, "got int32"),
        (lambda: scale_channels(x.astype(">f4"), 1, 0), DtypeError, "got >f4"),
        (lambda: scale_channels(x, [1, 2], 0), ShapeError, "x has 3, scale.shape"),
        (lambda: map_pixels(x, rows + 4, columns), ArgumentError, "rows must lie between -1 and 3, got 4 to 4"),
        (lambda: map_pixels(x, rows, columns - 2), ArgumentError, "columns must lie between -1 and 4, got -2 to -2"),
        (lambda: map_pixels(x, rows[:1], columns), ShapeError, "rows must have one row per image"),
        (lambda: map_pixels(x, rows, columns[0]), ShapeError, "columns must have one row per image"),
        (lambda: map_pixels(x, rows, columns, [1, 2]), ShapeError, "fill"),
        (lambda: map_pixels(x, rows, columns, 0.5), ArgumentError, "fill must be whole numbers from 0 to 255 .* got 0.5"),
        (lambda: map_pixels(x, rows, columns, [1, 2, 256]), ArgumentError, "256"),
        (lambda: gather_pixels(x, [0, 2]), IndexError, "index must lie between -2 and 1, got 0 to 2"),
        (lambda: gather_pixels(x, [-3]), IndexError, "got -3 to -3"),
        (lambda: gather_pixels(x, [0.5]), DtypeError, "1-D array of ints, got float64"),
        (lambda: gather_pixels(x, [[0]]), DtypeError, r"shape \(1, 1\)"),
        (lambda: gather_pixels(x, None, [[[0, 1, 0, 1]]], [(4, 5)]), ShapeError, r"windows must be \(stages, 2, 4\)"),
        (lambda: gather_pixels(x, [0], [[[0, 2, 0, 1]]], [(4, 5)]), ArgumentError, "steps must be 1 or -1"),
        (lambda: gather_pixels(x, [0], [[[2**62, 1, 0, 1]]], [(4, 5)]), ArgumentError, "within"),
        (lambda: gather_pixels(x, [0], [[[0, 1, 0, 1]]], [(4, -5)]), ArgumentError, "sizes"),
        (lambda: gather_pixels(x, [0], [[[0, 1, 0, 1]]], [(4, 5)], [1, 2]), ShapeError, "fill"),
        (lambda: gather_pixels(x, scale=Scale(1, 0, 3, "f4")), ShapeError, "scale is for 3 channels of float32"),
        (lambda: gather_pixels(x, scale=Scale(1, 0, 1, "u1")), ShapeError, "scale is for 1 channels of uint8"),
        (lambda: fill_boxes(x, rows[:1]), ShapeError, r"boxes must be .* = \(2, 4\), got \(1, 4\)"),
    ):
        with pytest.raises(error, match=text):
            call()


def test_huge_boxes_are_cut_off():
    x = batch((1, 1, 3, 3), "u1")
    assert (fill_boxes(x, [[-(2**62), 2**62, -(2**62), 2**62]], 7) == 7).all()
