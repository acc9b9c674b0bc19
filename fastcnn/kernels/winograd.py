"""kernels.winograd: the matrices of Winograd's minimal filtering, derived from its points by exact rationals.

F(m x m, r x r) computes m outputs of an r-tap correlation from m + r - 1 inputs: y = A^T [(G g) . (B^T d)]. The matrices are
those of Toom-Cook evaluation and interpolation at m + r - 2 finite points and infinity, transposed. [Lavin2015] for the
algorithm, [Barabasz2018] for the choice of points: 0, +-5/8, +-3/2 halves the rounding error of 0, +-1, +-2.

F(3,3) on the same points without -3/2 has the same A^T and G where the points are the same, but for a factor of each row of G,
the point + 3/2; moved into B^T, it lets tiles of 3 and 4 outputs share transformed weights.
"""

from __future__ import annotations

from fractions import Fraction

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
