"""tests.kernels.test_winograd: the matrices, the error against float64, every way to cut the work, dirty scratch."""

from __future__ import annotations

import os
from fractions import Fraction

import numpy as np
import pytest

from fastcnn.kernels import conv2d_winograd, conv2d_winograd_weight, relu_forward, select, winograd
from fastcnn.reference import conv2d as reference
from fastcnn.shapes import conv2d_case

from ..harness import ISAS, machine

CASES = 20000 if os.environ.get("FASTCNN_STRESS") else 200
LIMIT = {"float32": 2e-5, "float64": 1e-13}  # relative L2 error of each direction

# name: (batch, ci, height, width, co, threads): what decides how the work is cut
CUTS = {
    "one_tile": (1, 5, 3, 4, 7, (2, 3)),
    "groups_of_panels": (1, 40, 6, 6, 200, (2, 3, 5)),
    "shares_of_tiles": (2, 16, 30, 21, 8, (2, 3, 5)),
    "grid": (2, 24, 14, 14, 72, (3, 4, 7, 8)),
    "stationary": (2, 320, 14, 14, 320, (2,)),
    "blocks_in_a_chunk": (2, 96, 42, 41, 96, (2, 3)),
    "one_vector": (2, 16, 21, 14, 16, (2, 3)),  # of float32 with AVX-512; half of it with AVX2
    "half_a_vector": (2, 8, 21, 14, 8, (2, 3)),
    "four_chunks": (3, 12, 24, 24, 20, (2, 3, 4)),
    "eight_chunks": (6, 3, 40, 40, 5, (2, 3, 5)),
    "pieces_of_channels": (1, 300, 7, 7, 40, (2, 3)),
}


@pytest.mark.parametrize(("outputs", "taps"), [(4, 3), (3, 4), (2, 3), (6, 3)])
def test_matrices_are_exact(outputs, taps):
    n = outputs + taps - 1
    points = (*winograd.POINTS, Fraction(2), Fraction(-2))[: n - 1]
    a_t, g, b_t = winograd.matrices(outputs, taps, points)
    rng = np.random.default_rng(0)
    data = [Fraction(int(v)) for v in rng.integers(-99, 99, n)]
    kernel = [Fraction(int(v)) for v in rng.integers(-99, 99, taps)]
    products = [sum(g[i][k] * kernel[k] for k in range(taps)) * sum(b_t[i][k] * data[k] for k in range(n)) for i in range(n)]
    want = [sum(kernel[k] * data[i + k] for k in range(taps)) for i in range(outputs)]
    assert [sum(row[i] * products[i] for i in range(n)) for row in a_t] == want


def test_tiles_of_three_share_the_weights():
    """F(3,3) without the last point has the rows of F(4,3), but for a factor of G: what ukr/winograd.h moves into B^T."""
    a4, g4, _ = winograd.matrices(4, 3)
    a3, g3, _ = winograd.matrices(3, 3, winograd.POINTS[:4])
    kept = (0, 1, 2, 3, 5)
    assert [row[:4] for row in a3] == [[row[j] for j in kept[:4]] for row in a4[:3]]
    factors = [p - winograd.POINTS[4] for p in winograd.POINTS[:4]] + [Fraction(1)]
    assert g3 == [[v * f for v in g4[j]] for j, f in zip(kept, factors, strict=True)]


@pytest.mark.parametrize("points", [(Fraction(0), Fraction(1)), (Fraction(1),) * 5])
def test_matrices_need_distinct_points(points):
    with pytest.raises(ValueError, match=r"F\(4,3\) needs 5 distinct finite points"):
        winograd.matrices(4, 3, points)


def draw(case, dtype, seed=0):
    """x, w, b, dy of a case, channels-last, standard normal."""
    rng = np.random.default_rng(seed)

    def normal(shape):
        n, c, h, w = shape
        return rng.standard_normal((n, h, w, c)).astype(dtype).transpose(0, 3, 1, 2)

    return normal(case.x_shape), normal(case.w_shape), rng.standard_normal(case.co).astype(dtype), normal(case.y_shape)


def directions(arrays, case, threads, schedule="auto"):
    x, w, b, dy = arrays
    return (
        conv2d_winograd.conv2d_winograd_forward(x, w, b, case, threads=threads, schedule=schedule),
        conv2d_winograd.conv2d_winograd_backward_data(dy, w, case, threads=threads, schedule=schedule),
        conv2d_winograd_weight.conv2d_winograd_backward_weight(dy, x, case, threads=threads),
    )


def exact(arrays, case):
    x, w, b, dy = (a.astype(np.float64) for a in arrays)
    return (
        reference.conv2d_forward(x, w, b, case),
        reference.conv2d_backward_data(dy, w, case),
        reference.conv2d_backward_weight(dy, x, case),
    )


def errors(got, want):
    """Relative L2 error of each array; zero where both are zero."""
    return [np.linalg.norm(g - w) / max(np.linalg.norm(w), 1e-300) for g, w in zip(got, want, strict=True)]


def random_case(rng):
    batch, ci, co = int(rng.integers(1, 4)), int(rng.integers(1, 70)), int(rng.integers(1, 70))
    height, width = (int(v) for v in rng.integers(3, 20, 2))
    padding = tuple(int(v) for v in rng.integers(0, 3, 4))
    return conv2d_case((batch, ci, height, width), (co, ci, 3, 3), 1, padding)


def test_error_of_random_cases():
    rng = np.random.default_rng(3)
    for i in range(CASES):
        case, dtype = random_case(rng), ("float32", "float64")[i % 4 == 3]
        arrays = draw(case, dtype, i)
        with machine(ISAS[i % len(ISAS)], 1):
            got = directions(arrays, case, 1 + i % 3)
        assert max(errors(got, exact(arrays, case))) <= LIMIT[dtype], case


@pytest.mark.parametrize("isa", ISAS)
def test_every_pair_of_sides(isa):
    """Sides 1 to 16: every mixture of tiles of three and four outputs."""
    for height in range(1, 17):
        for width in (1, 2, 5, 6, 7, 8, 11, 14) if height % 4 else range(1, 17):
            case = conv2d_case((2, 3, height, width), (20, 3, 3, 3), 1, 1)
            arrays = draw(case, "float32")
            with machine(isa, 1):
                assert max(errors(directions(arrays, case, 1), exact(arrays, case))) <= LIMIT["float32"], (height, width)


def test_a_wrong_tile_is_caught():
    case = conv2d_case((2, 16, 14, 14), (16, 16, 3, 3), 1, 1)
    arrays = draw(case, "float32")
    want = exact(arrays, case)
    got = [a.copy() for a in directions(arrays, case, 1)]
    got[0][0, 0, 8:11, 8:11] = 0
    assert errors(got, want)[0] > LIMIT["float32"] >= errors(got, want)[1]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", LIMIT)
@pytest.mark.parametrize("name", CUTS)
def test_every_cut_gives_the_same_bits(name, dtype, isa):
    batch, ci, height, width, co, threads = CUTS[name]
    case = conv2d_case((batch, ci, height, width), (co, ci, 3, 3), 1, 1)
    arrays = draw(case, dtype)
    with machine(isa, 1):
        alone = directions(arrays, case, 1)
        for count in threads:
            for schedule in ("auto", "fused", "stationary"):
                for a, b in zip(alone, directions(arrays, case, count, schedule), strict=True):
                    np.testing.assert_array_equal(a, b)
    assert max(errors(alone, exact(arrays, case))) <= LIMIT[dtype]


@pytest.mark.parametrize("isa", ISAS)
def test_scratch_may_hold_anything(isa):
    """Blocks come back from the cache as they were left: NaN there must not reach a result."""
    case = conv2d_case((2, 19, 15, 13), (37, 19, 3, 3), 1, 1)
    arrays = draw(case, "float32")
    with machine(isa, 1):
        for count in (1, 2):
            for size in 2 ** np.arange(12, 25):
                relu_forward(np.full(int(size) // 4, np.nan, np.float32))
            assert all(np.isfinite(a).all() for a in directions(arrays, case, count))


# (batch, ci, side, co): measured time of direct over Winograd, forward, data, weight; two threads, AVX-512, where far from 1
MEASURED = {
    (128, 16, 32, 16): (1.57, 1.56, 1.74),
    (128, 3, 32, 16): (0.57, 1.60, 0.51),
    (128, 1, 28, 32): (0.32, 1.79, 0.32),
    (16, 3, 224, 64): (0.67, 2.17, 0.53),
    (16, 64, 56, 8): (2.10, 1.28, 1.36),
    (1, 64, 8, 64): (2.80, 3.17, 1.42),
    (2, 512, 7, 512): (2.48, 2.76, 1.39),
    (1, 256, 14, 256): (2.73, 2.83, 1.92),
    (64, 12, 12, 12): (1.36, 1.38, 1.46),
}


@pytest.mark.parametrize("shape", MEASURED)
def test_chosen_where_it_won(shape):
    batch, ci, side, co = shape
    case = conv2d_case((batch, ci, side, side), (co, ci, 3, 3), 1, 1)
    zero = np.zeros(1, np.float32)
    x, w, dy = (np.broadcast_to(zero, s) for s in (case.x_shape, case.w_shape, case.y_shape))
    given = {"forward": (x, w, None, case), "backward_data": (dy, w, case), "backward_weight": (dy, x, case)}
    for (direction, args), ratio in zip(given.items(), MEASURED[shape], strict=True):
        chosen = next(i for i in select.OPS[f"conv2d_{direction}"] if i.name == "winograd").pays(*args)
        assert chosen == (ratio > 1), (direction, ratio)
