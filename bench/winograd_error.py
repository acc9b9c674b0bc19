"""bench.winograd_error: the error of Winograd convolution against float64, by tile and points, as a Markdown table.

    python -m bench.winograd_error

Standard normal data on ResNet-18's 3x3 layers, float32. Truth is direct convolution in float64. F(2x2,3x3), which fastcnn does
not use, is computed here in NumPy; the other rows are the compiled kernels, with the points exchanged for the textbook ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from fastcnn import kernels
from fastcnn.kernels import conv2d_winograd, winograd
from fastcnn.shapes import Conv2dCase, conv2d_case

BATCH = 16
LAYERS = ((64, 56), (128, 28), (256, 14), (512, 7))  # channels, side
TEXTBOOK = tuple(Fraction(p) for p in (0, 1, -1, 2, -2))
DIRECTIONS = ("forward", "backward_data", "backward_weight")


def layer(channels: int, side: int, batch: int) -> Conv2dCase:
    return conv2d_case((batch, channels, side, side), (channels, channels, 3, 3), 1, 1)


def draw(case: Conv2dCase) -> dict[str, tuple]:
    """Return the arguments of each direction, standard normal float32, channels-last."""
    rng = np.random.default_rng(0)
    shapes = (case.x_shape, case.w_shape, case.y_shape)
    x, w, dy = (rng.standard_normal((n, h, v, c), np.float32).transpose(0, 3, 1, 2) for n, c, h, v in shapes)
    return {"forward": (x, w, None), "backward_data": (dy, w), "backward_weight": (dy, x)}


def run(direction: str, given: tuple, case: Conv2dCase, algorithm: str) -> np.ndarray:
    return getattr(kernels, f"conv2d_{direction}")(*given, case, algorithm=algorithm)


def by_points(direction: str, given: tuple, case: Conv2dCase, points: tuple[Fraction, ...]) -> np.ndarray:
    """Run the compiled Winograd kernel with other points."""
    conv2d_winograd._set_points(*winograd.transform_constants(points))
    try:
        return run(direction, given, case, "winograd")
    finally:
        conv2d_winograd._set_points(*winograd.transform_constants())


def patches(image: np.ndarray, side: int, step: int, pad: int) -> np.ndarray:
    """Return windows (batch, tiles, tiles, channels, side, side) of an image padded by `pad`, and by zeros to whole tiles."""
    size = image.shape[2]
    tiles = -(-size // step)
    extra = (tiles - 1) * step + side - size - pad
    padded = np.pad(image, ((0, 0), (0, 0), (pad, max(extra, 0)), (pad, max(extra, 0))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(2, 3))
    return windows[:, :, ::step, ::step][:, :, :tiles, :tiles].transpose(0, 2, 3, 1, 4, 5)


def f2(direction: str, given: tuple, case: Conv2dCase) -> np.ndarray:
    """Return one direction by F(2x2,3x3), or F(3x3,2x2) for the weight gradient, on the points 0, +-1, in NumPy float32."""
    outputs, taps = (3, 2) if direction == "backward_weight" else (2, 3)
    a_t, g, b_t = (np.array(m, np.float32) for m in winograd.matrices(outputs, taps, TEXTBOOK[:3]))
    if direction == "backward_weight":
        dy, x = given
        v = np.einsum("ip,nyxcpq,jq->ijnyxc", b_t, patches(x, 4, 2, 1), b_t, optimize=True)
        d = np.einsum("ip,nyxkpq,jq->ijnyxk", g, patches(dy, 2, 2, 0), g, optimize=True)
        sums = np.matmul(d.reshape(4, 4, -1, case.co).swapaxes(2, 3), v.reshape(4, 4, -1, case.ci))
        return np.einsum("ri,ijkc,sj->kcrs", a_t, sums, a_t, optimize=True)
    source, w = given[0], given[1]
    if direction == "backward_data":
        w = w[:, :, ::-1, ::-1].swapaxes(0, 1)
    v = np.einsum("ip,nyxcpq,jq->ijnyxc", b_t, patches(source, 4, 2, 1), b_t, optimize=True)
    u = np.einsum("ip,kcpq,jq->ijck", g, w, g, optimize=True)
    m = np.matmul(v.reshape(4, 4, -1, v.shape[-1]), u).reshape(*v.shape[:-1], -1)
    tiles = np.einsum("ri,ijnyxk,sj->nkyrxs", a_t, m, a_t, optimize=True)
    n, k, ty, _, tx, _ = tiles.shape
    return tiles.reshape(n, k, 2 * ty, 2 * tx)[:, :, : source.shape[2], : source.shape[3]]


def rows(direction: str, given: tuple, case: Conv2dCase) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (name, result) of every way to compute one direction."""
    small, large = ("F(3x3,2x2)", "F(3x3,4x4)") if direction == "backward_weight" else ("F(2x2,3x3)", "F(4x4,3x3)")
    yield "direct", run(direction, given, case, "direct")
    yield f"{small}, 0, +-1", f2(direction, given, case)
    yield f"{large}, textbook: 0, +-1, +-2", by_points(direction, given, case, TEXTBOOK)
    yield f"{large}, fastcnn: 0, +-5/8, +-3/2", by_points(direction, given, case, winograd.POINTS)


def errors(got: np.ndarray, want: np.ndarray) -> tuple[float, float]:
    """Return the relative L2 error and the largest error as a part of the rms of `want`."""
    difference = got - want
    rms = np.sqrt(np.mean(want**2))
    return float(np.sqrt(np.mean(difference**2)) / rms), float(np.abs(difference).max() / rms)


def table(layers=LAYERS, batch: int = BATCH) -> str:
    """Return the errors of all rows and layers as a Markdown table, `relative L2 / largest`."""
    cells: dict[tuple[str, str], list[str]] = {}
    for channels, side in layers:
        case = layer(channels, side, batch)
        for direction, given in draw(case).items():
            exact = tuple(a if a is None else a.astype(np.float64) for a in given)
            want = run(direction, exact, case, "direct")
            for name, got in rows(direction, given, case):
                l2, largest = errors(got, want)
                cells.setdefault((direction.replace("_", " "), name), []).append(f"{l2:.1e} / {largest:.1e}")
    head = ["direction", "algorithm", *(f"{c}@{s} b{batch}" for c, s in layers)]
    lines = [head, ["---"] * len(head), *([*key, *values] for key, values in cells.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print(table())
