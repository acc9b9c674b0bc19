"""kernels.winograd: the matrices of Winograd's minimal filtering, derived from its points by exact rationals; when it pays.

F(m x m, r x r) computes m outputs of an r-tap correlation from m + r - 1 inputs: y = A^T [(G g) . (B^T d)]. The matrices are
those of Toom-Cook evaluation and interpolation at m + r - 2 finite points and infinity, transposed. [Lavin2015] for the
algorithm, [Barabasz2018] for the choice of points: 0, +-5/8, +-3/2 halves the rounding error of 0, +-1, +-2.

F(3,3) on the same points without -3/2 has the same A^T and G where the points are the same, but for a factor of each row of G,
the point + 3/2; moved into B^T, it lets tiles of 3 and 4 outputs share transformed weights.
"""

from __future__ import annotations

from fractions import Fraction

from ..shapes import Conv2dCase

POINTS = (Fraction(0), Fraction(5, 8), Fraction(-5, 8), Fraction(3, 2), Fraction(-3, 2))

Matrix = list[list[Fraction]]


def _product(roots: list[Fraction]) -> list[Fraction]:
    """Coefficients, lowest power first, of the polynomial with these roots."""
    poly = [Fraction(1)]
    for root in roots:
        poly = [a - root * b for a, b in zip([Fraction(0), *poly], [*poly, Fraction(0)], strict=True)]
    return poly


def matrices(outputs: int, taps: int, points: tuple[Fraction, ...] = POINTS) -> tuple[Matrix, Matrix, Matrix]:
    """Return (A^T, G, B^T) of F(outputs, taps): shapes (outputs, n), (n, taps), (n, n), n = outputs + taps - 1.

    Needs n - 1 distinct points; the last row and column belong to the point at infinity.
    """
    n = outputs + taps - 1
    if len(points) != n - 1 or len(set(points)) != n - 1:
        raise ValueError(f"F({outputs},{taps}) needs {n - 1} distinct finite points, got {points}")
    a_t = [[p**i for p in points] + [Fraction(i == outputs - 1)] for i in range(outputs)]
    g, b_t = [], []
    for j, p in enumerate(points):
        others = [q for k, q in enumerate(points) if k != j]
        scale = Fraction(1)
        for q in others:
            scale *= p - q
        g.append([p**i / scale for i in range(taps)])
        b_t.append([*_product(others), Fraction(0)])
    g.append([Fraction(i == taps - 1) for i in range(taps)])
    b_t.append(_product(list(points)))
    return a_t, g, b_t


def transform_constants(points: tuple[Fraction, ...] = POINTS) -> tuple[float, float, list[list[float]]]:
    """Return (a, b, G) of F(4,3): what the compiled transforms need of the points 0, +-a, +-b, infinity."""
    g = matrices(4, 3, points)[1]
    return float(points[1]), float(points[3]), [[float(v) for v in row] for row in g]


def _products(side: int) -> int:
    """Products along an axis of this many outputs: tiles of four take six, tiles of three five."""
    tiles = (side + 3) // 4
    return 6 * tiles - min(tiles, 4 * tiles - side)


# Nanoseconds of one AVX-512 core at 240 GFLOP/s for an element of the transformed images, of the transformed weights or
# gradient, and of the weights that direct convolution packs. Fitted to 37 shapes of 1 to 512 channels and 2 to 224 pixels on two
# threads; the first column again, to 30 shapes of few channels, when the transforms became faster. Of these 90 estimates five
# name the slower one, which runs at 0.92 to 0.99 times the speed of the other.
COSTS = {
    "conv2d_forward": (0.08, 0.1, 0.9),
    "conv2d_backward_data": (0.08, 0.1, 0.9),
    "conv2d_backward_weight": (0.08, 0.08, 0.1),
}


def gain(case: Conv2dCase, op: str) -> float:
    """Return the estimated time of direct convolution over that of Winograd, both in whole vectors of 16 outputs."""
    tile, weight, packing = COSTS[op]
    depth, n, height, width = case.ci, case.co, case.oh, case.ow
    if op == "conv2d_backward_data":
        depth, n, height, width = case.co, case.ci, case.ih, case.iw
    vectors = (n + 15) // 16 * 16
    direct = case.batch * case.oh * case.ow * 9 * depth * vectors / 120 + packing * 9 * depth * n
    products = case.batch * _products(height) * _products(width)
    winograd = products * (depth * vectors / 120 + tile * ((depth + 15) // 16 * 16 + vectors)) + 36 * weight * depth * n
    return direct / winograd if case.batch and winograd else 0.0
