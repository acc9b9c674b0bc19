"""data.transforms: augmentation of a whole batch at once, `transform(x, generator) -> x`.

`x` has logical shape (N, C, H, W), uint8 or floats, any memory order; the result is a new array in channels-last memory with the
same dtype (Normalize: floats). Every random number comes from the generator, so a batch is a function of (seed, epoch, position).
A class with `pixels = True` works on images as they are stored, before they are normalised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..errors import ArgumentError, DtypeError, ShapeError
from ..kernels.pixels import fill_boxes, map_pixels, scale_channels
from ..shapes import pair

PADDING_MODES = ("constant", "edge", "reflect", "symmetric")


def check_probability(op: str, p: float) -> float:
    """Return p as a float, or raise unless it is between 0 and 1."""
    if not 0.0 <= p <= 1.0:
        raise ArgumentError(f"{op}: p must be between 0 and 1, got {p!r}")
    return float(p)


class Compose:
    """Apply several transforms one after the other; the loader takes a list as well."""

    def __init__(self, transforms: Sequence[Callable]):
        self.transforms = list(transforms)
        wrong = [type(transform).__name__ for transform in self.transforms if not callable(transform)]
        if wrong:
            raise DtypeError(f"Compose: transforms must be callables, got {', '.join(wrong)}")
        if any(getattr(transform, "mixes", False) for transform in self.transforms):
            raise ArgumentError("Compose: MixUp and CutMix need the labels; give the loader a list of transforms instead")

    def __call__(self, x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        for transform in self.transforms:
            x = transform(x, generator)
        return x


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
        return scale_channels(x, 1 / (self.std * unit), -self.mean / self.std)


class _Mapped:
    """A transform that moves pixels: a subclass gives the source row of each row and the source column of each column."""

    pixels = True
    fill: float | Sequence[float] = 0.0

    def maps(self, shape: tuple[int, ...], generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return rows (N, new height) and columns (N, new width), -1 where `fill` is to stand."""
        raise NotImplementedError

    def __call__(self, x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        rows, columns = self.maps(x.shape, generator)
        return map_pixels(x, rows, columns, self.fill)


def _mirrored(n: int, size: int, p: float, generator: np.random.Generator) -> np.ndarray:
    forward = np.arange(size)
    return np.where(generator.random((n, 1)) < p, forward[::-1], forward)


class RandomHorizontalFlip(_Mapped):
    """Mirror each image left to right with probability `p`."""

    def __init__(self, p: float = 0.5):
        self.p = check_probability("RandomHorizontalFlip", p)

    def maps(self, shape, generator):
        n, _, h, w = shape
        return np.broadcast_to(np.arange(h), (n, h)), _mirrored(n, w, self.p, generator)


class RandomVerticalFlip(_Mapped):
    """Mirror each image top to bottom with probability `p`."""

    def __init__(self, p: float = 0.5):
        self.p = check_probability("RandomVerticalFlip", p)

    def maps(self, shape, generator):
        n, _, h, w = shape
        return _mirrored(n, h, self.p, generator), np.broadcast_to(np.arange(w), (n, w))


def _inside(places: np.ndarray, size: int, mode: str) -> np.ndarray:
    """Return which pixel stands at each place, counted from the first pixel of a row that is continued by `mode`; -1: fill."""
    if mode == "edge":
        return places.clip(0, size - 1)
    if mode == "symmetric":  # ... 1 0 | 0 1 2 | 2 1 ...
        places = places % (2 * size)
        return np.minimum(places, 2 * size - 1 - places)
    if mode == "reflect":  # ... 2 1 | 0 1 2 | 1 0 ...
        period = max(2 * size - 2, 1)
        places = places % period
        return np.minimum(places, period - places) if size > 1 else places * 0
    return np.where((places >= 0) & (places < size), places, -1)


class RandomCrop(_Mapped):
    """Cut a window of `size` at a random place of the image padded by `padding`; size = image size gives a random shift.

    Parameters
    ----------
    size : int or (height, width)
    padding : int or (vertical, horizontal)
        Border on both sides.
    fill : number, or one per channel
        Value of the border, in units of the images that come in: 0 is black before they are normalised.
    padding_mode : {"constant", "edge", "reflect", "symmetric"}
        "constant": the border is `fill`; otherwise the image is continued, as by `numpy.pad`.
    """

    def __init__(self, size, padding=0, fill: float | Sequence[float] = 0.0, padding_mode: str = "constant"):
        if padding_mode not in PADDING_MODES:
            raise ArgumentError(f"RandomCrop: padding_mode must be one of {', '.join(PADDING_MODES)}, got {padding_mode!r}")
        self.size, self.padding = pair("RandomCrop", "size", size, 1), pair("RandomCrop", "padding", padding, 0)
        self.fill, self.padding_mode = fill, padding_mode

    def maps(self, shape, generator):
        (h, w), (ph, pw) = self.size, self.padding
        n, _, ih, iw = shape
        if h > ih + 2 * ph or w > iw + 2 * pw:
            raise ShapeError(
                f"RandomCrop: size {self.size} is larger than the padded image {(ih + 2 * ph, iw + 2 * pw)} (x.shape={shape})"
            )
        top = generator.integers(ih + 2 * ph - h + 1, size=(n, 1)) - ph
        left = generator.integers(iw + 2 * pw - w + 1, size=(n, 1)) - pw
        return _inside(top + np.arange(h), ih, self.padding_mode), _inside(left + np.arange(w), iw, self.padding_mode)


class RandomShift(_Mapped):
    """Move each image by up to `shift` pixels in each direction; `fill` and `padding_mode` as in RandomCrop."""

    def __init__(self, shift, fill: float | Sequence[float] = 0.0, padding_mode: str = "constant"):
        if padding_mode not in PADDING_MODES:
            raise ArgumentError(f"RandomShift: padding_mode must be one of {', '.join(PADDING_MODES)}, got {padding_mode!r}")
        self.shift, self.fill, self.padding_mode = pair("RandomShift", "shift", shift, 0), fill, padding_mode

    def maps(self, shape, generator):
        return RandomCrop(shape[2:], self.shift, self.fill, self.padding_mode).maps(shape, generator)


class Cutout:
    """Fill one square of side `size`, centred at a random pixel and cut off at the border, with `fill` [DeVries2017].

    `fill` is a number or one per channel, in units of the images that come in; the paper's is the mean of the data set.
    """

    pixels = True

    def __init__(self, size: int, p: float = 1.0, fill: float | Sequence[float] = 0.0):
        self.size = pair("Cutout", "size", size, 1)[0]
        self.p, self.fill = check_probability("Cutout", p), fill

    def __call__(self, x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        n, _, h, w = x.shape
        top = generator.integers(h, size=n) - self.size // 2
        left = generator.integers(w, size=n) - self.size // 2
        height = np.where(generator.random(n) < self.p, self.size, 0)
        return fill_boxes(x, np.stack([top, top + height, left, left + self.size], axis=1), self.fill)
