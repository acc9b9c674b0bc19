"""bench.check: compares a result with the float64 reference on a part of the problem, before it is timed."""

from __future__ import annotations

import numpy as np

from fastcnn.reference.conv2d import conv2d_backward_data, conv2d_backward_weight, conv2d_forward
from fastcnn.shapes import Conv2dCase, conv2d_case

# Relative L2 error against float64. Direct sums grow like eps * sqrt(depth): 6e-8 * sqrt(4608) = 4e-6. Winograd
# F(4x4,3x3) on the points of kernels/winograd.py is 5 to 8 times less accurate.
TOLERANCE = {"direct": 1e-5, "winograd": 5e-5}
EPS = 6e-8


def tolerance(algorithm: str, direction: str, case: Conv2dCase) -> float:
    """Return the bound for an algorithm of ours: a weight gradient sums over batch * oh * ow pixels, 800,000 in VGG-16."""
    bound = TOLERANCE["winograd" if algorithm == "winograd" else "direct"]
    return max(bound, EPS * (case.batch * case.oh * case.ow) ** 0.5) if direction == "backward_weight" else bound


def close(got: np.ndarray, wanted: np.ndarray, tolerance: float, what: str) -> None:
    """Raise AssertionError when the relative L2 distance of `got` from `wanted` is above `tolerance`, or not finite."""
    assert got.shape == wanted.shape, f"{what}: shape {got.shape} instead of {wanted.shape}"
    distance = np.linalg.norm(got.astype(np.float64) - wanted) / max(np.linalg.norm(wanted), 1e-300)
    assert distance <= tolerance, f"{what}: relative error {distance:.2e} is above {tolerance:.0e}"


def ends(n: int) -> list[int]:
    """Return the first, the second and the last index of `n`: body and tail of a vectorised loop."""
    return sorted({0, min(1, n - 1), n - 1})


def conv2d(
    direction: str, got: np.ndarray, x: np.ndarray, w: np.ndarray, dy: np.ndarray, case: Conv2dCase, tolerance: float
) -> None:
    """Check one direction of a convolution: first and last image, a few channels of the first and the last group.

    The side that the direction sums over is taken whole; of the others only `ends` are computed again.
    """
    cig, cog = case.ci // case.groups, case.co // case.groups
    for group in sorted({0, case.groups - 1}):
        inputs, outputs, images = np.arange(cig), np.arange(cog), np.array(ends(case.batch))
        if direction == "forward":
            outputs = outputs[ends(cog)]
        elif direction == "backward_data":
            inputs = inputs[ends(cig)]
        else:
            inputs, outputs, images = inputs[ends(cig)], outputs[ends(cog)], np.arange(case.batch)
        x_at = np.ix_(images, group * cig + inputs)
        y_at = np.ix_(images, group * cog + outputs)
        w_at = np.ix_(group * cog + outputs, inputs)
        xs, ws, dys = (a.astype(np.float64) for a in (x[x_at], w[w_at], dy[y_at]))
        padding = (case.pt, case.pb, case.pl, case.pr)
        part = conv2d_case(xs.shape, ws.shape, (case.sh, case.sw), padding, (case.dh, case.dw))
        if direction == "forward":
            close(got[y_at], conv2d_forward(xs, ws, None, part), tolerance, direction)
        elif direction == "backward_data":
            close(got[x_at], conv2d_backward_data(dys, ws, part), tolerance, direction)
        else:
            close(got[w_at], conv2d_backward_weight(dys, xs, part), tolerance, direction)
