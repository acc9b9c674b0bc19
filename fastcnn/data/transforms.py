"""data.transforms: augmentation of a whole batch at once, `transform(x, generator) -> x`.

`x` has logical shape (N, C, H, W) in channels-last memory; the result is a new array with the same memory order. Every random
number comes from the generator, so a batch is a function of (seed, epoch, batch number).
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..errors import ArgumentError, ShapeError
from ..shapes import pair


def _check_probability(op: str, p: float) -> float:
    if not 0.0 <= p <= 1.0:
        raise ArgumentError(f"{op}: p must be between 0 and 1, got {p!r}")
    return float(p)


class Normalize:
    """Compute `(x - mean) / std` per channel; uint8 images are divided by 255 first.

    `mean` and `std` are a number or one number per channel, in units of the float image.
    """

    def __init__(self, mean, std):
        mean, std = np.atleast_1d(np.asarray(mean, "f8")), np.atleast_1d(np.asarray(std, "f8"))
        if mean.ndim != 1 or std.ndim != 1 or not np.all(np.isfinite(mean)) or not np.all(np.isfinite(std)) or np.any(std <= 0):
            raise ArgumentError(
                f"Normalize: mean and std must be finite numbers, one per channel, with std > 0, got {mean}, {std}"
            )
        if 1 not in (mean.size, std.size) and mean.size != std.size:
            raise ShapeError(f"Normalize: mean has {mean.size} channels, std has {std.size}")
        self.mean, self.std = mean, std

    def __eq__(self, other) -> bool:
        if not isinstance(other, Normalize):
            return NotImplemented
        return np.array_equal(self.mean, other.mean) and np.array_equal(self.std, other.std)

    def __hash__(self) -> int:
        return hash((self.mean.tobytes(), self.std.tobytes()))

    def __call__(self, x: np.ndarray, generator=None) -> np.ndarray:
        channels = max(self.mean.size, self.std.size)
        if channels not in (1, x.shape[1]):
            raise ShapeError(f"Normalize: {channels} channels of mean and std, x has {x.shape[1]} (x.shape={x.shape})")
        unit = 255.0 if x.dtype == np.uint8 else 1.0
        dtype = np.float64 if x.dtype == np.float64 else np.float32
        shape = (1, -1, 1, 1)  # (C,) -> (1, C, 1, 1)
        scale = (1 / (self.std * unit)).astype(dtype).reshape(shape)
        shift = (-self.mean / self.std).astype(dtype).reshape(shape)
        y = np.multiply(x, scale, dtype=dtype)
        y += shift
        return y


class RandomHorizontalFlip:
    """Mirror each image left to right with probability `p`."""

    def __init__(self, p: float = 0.5):
        self.p = _check_probability("RandomHorizontalFlip", p)

    def __call__(self, x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        flip = generator.random(len(x)) < self.p
        y = x.copy(order="K")
        y[flip] = x[flip][..., ::-1]
        return y


class RandomCrop:
    """Cut a window of `size` at a random place of the image padded by `padding`; size = image size gives a random shift.

    Parameters
    ----------
    size : int or (height, width)
    padding : int or (vertical, horizontal)
        Border of value `fill` on both sides.
    """

    def __init__(self, size, padding=0, fill: float = 0.0):
        self.size, self.padding, self.fill = (
            pair("RandomCrop", "size", size, 1),
            pair("RandomCrop", "padding", padding, 0),
            float(fill),
        )

    def __call__(self, x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        (h, w), (ph, pw) = self.size, self.padding
        n, c, ih, iw = x.shape
        if h > ih + 2 * ph or w > iw + 2 * pw:
            raise ShapeError(
                f"RandomCrop: size {self.size} is larger than the padded image {(ih + 2 * ph, iw + 2 * pw)} (x.shape={x.shape})"
            )
        padded = np.full((n, ih + 2 * ph, iw + 2 * pw, c), self.fill, x.dtype)
        padded[:, ph : ph + ih, pw : pw + iw] = x.transpose(0, 2, 3, 1)  # (N, C, H, W) -> (N, H, W, C)
        top = generator.integers(ih + 2 * ph - h + 1, size=n)
        left = generator.integers(iw + 2 * pw - w + 1, size=n)
        # windows: (N, tops, lefts, C, h, w) -> (N, tops, lefts, h, w, C), so that the picked copy is channels-last
        windows = sliding_window_view(padded, (h, w), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)
        return np.ascontiguousarray(windows[np.arange(n), top, left]).transpose(0, 3, 1, 2)


class Cutout:
    """Fill one square of side `size`, centred at a random pixel and clipped at the border, with `fill` [DeVries2017]."""

    def __init__(self, size: int, p: float = 1.0, fill: float = 0.0):
        self.size = pair("Cutout", "size", size, 1)[0]
        self.p, self.fill = _check_probability("Cutout", p), float(fill)

    def __call__(self, x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        n, _, h, w = x.shape
        top = generator.integers(h, size=(n, 1)) - self.size // 2
        left = generator.integers(w, size=(n, 1)) - self.size // 2
        hit = generator.random((n, 1)) < self.p
        rows = (np.arange(h) >= top) & (np.arange(h) < top + self.size) & hit
        columns = (np.arange(w) >= left) & (np.arange(w) < left + self.size)
        y = x.copy(order="K")
        # the mask is (N, H, W); the image is seen as (N, H, W, C)
        y.transpose(0, 2, 3, 1)[rows[:, :, None] & columns[:, None, :]] = self.fill
        return y
