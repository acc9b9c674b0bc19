"""data.transforms: augmentation of a whole batch at once, `transform(x, generator) -> x`.

`x` has logical shape (N, C, H, W), uint8 or floats, any memory order; the result is a new array in channels-last memory with the
same dtype (Normalize: floats). Every random number comes from the generator, so a batch is a function of (seed, epoch, position).
A class with `pixels = True` works on images as they are stored, before they are normalised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from ..errors import ArgumentError, DtypeError, ShapeError
from ..kernels.pixels import Scale, fill_boxes, gather_pixels, map_pixels
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
        return self.mean.tobytes() == other.mean.tobytes() and self.std.tobytes() == other.std.tobytes()

    def __hash__(self) -> int:
        return hash((self.mean.tobytes(), self.std.tobytes()))

    def __call__(self, x: np.ndarray, generator=None) -> np.ndarray:
        return gather_pixels(x, scale=normal_scale(self, x.shape[1], x.dtype))


@lru_cache(64)
def normal_scale(normalize: Normalize | None, channels: int, dtype: np.dtype) -> Scale | None:
    """Return what makes floats of images of `dtype`: normalised, or without Normalize bytes divided by 255; None: they stay."""
    unit = 255.0 if dtype == np.uint8 else 1.0
    if normalize is None:
        return Scale(1 / unit, 0, channels, dtype) if dtype == np.uint8 else None
    given = max(normalize.mean.size, normalize.std.size)
    if given not in (1, channels):
        raise ShapeError(f"Normalize: {given} channels of mean and std, x has {channels}")
    return Scale(1 / (normalize.std * unit), -normalize.mean / normalize.std, channels, dtype)


class Window:
    """Base class of transforms that move each image by whole pixels, mirrored or not; the loader does all that follow at once.

    A subclass gives the windows. `fill` stands beside the image, a number or one per channel, in the units that come in; None:
    nothing ever does.
    """

    pixels = True
    fill: float | Sequence[float] | None = None
    padding_mode = "constant"

    def output_size(self, h: int, w: int) -> tuple[int, int]:
        """Return height and width of what becomes of images of h x w pixels."""
        return h, w

    def windows(self, n: int, h: int, w: int, generator: np.random.Generator) -> np.ndarray:
        """Return (n, 4) ints (row, step, column, step): where the pixels (0, 0) come from, and in which direction it goes on."""
        raise NotImplementedError

    def __call__(self, x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        n, _, h, w = x.shape
        windows, (oh, ow) = self.windows(n, h, w, generator), self.output_size(h, w)
        if self.padding_mode == "constant":
            return gather_pixels(x, None, windows[None], [(oh, ow)], 0 if self.fill is None else self.fill)
        row, column = windows[:, :1], windows[:, 2:3]
        rows, columns = _inside(row + np.arange(oh), h, self.padding_mode), _inside(column + np.arange(ow), w, self.padding_mode)
        return map_pixels(x, rows, columns)


def _mirrors(n: int, axis: int, size: int, p: float, generator: np.random.Generator) -> np.ndarray:
    """Return n windows that take an axis of `size` in its own direction or, with probability p, in the other one."""
    windows, mirrored = np.zeros((n, 4), np.int64), generator.random(n) < p
    windows[:, 1::2] = 1
    windows[:, 2 * axis] = mirrored * (size - 1)
    windows[:, 2 * axis + 1] -= 2 * mirrored
    return windows


class RandomHorizontalFlip(Window):
    """Mirror each image left to right with probability `p`."""

    def __init__(self, p: float = 0.5):
        self.p = check_probability("RandomHorizontalFlip", p)

    def windows(self, n, h, w, generator):
        return _mirrors(n, 1, w, self.p, generator)


class RandomVerticalFlip(Window):
    """Mirror each image top to bottom with probability `p`."""

    def __init__(self, p: float = 0.5):
        self.p = check_probability("RandomVerticalFlip", p)

    def windows(self, n, h, w, generator):
        return _mirrors(n, 0, h, self.p, generator)


def _inside(places: np.ndarray, size: int, mode: str) -> np.ndarray:
    """Return which pixel stands at each place, counted from the first pixel of a row that is continued by `mode`."""
    if mode == "edge":
        return places.clip(0, size - 1)
    if mode == "symmetric":  # ... 1 0 | 0 1 2 | 2 1 ...
        places = places % (2 * size)
        return np.minimum(places, 2 * size - 1 - places)
    period = max(2 * size - 2, 1)  # "reflect": ... 2 1 | 0 1 2 | 1 0 ...
    places = places % period
    return np.minimum(places, period - places) if size > 1 else places * 0


def _check_padding(op: str, mode: str) -> str:
    if mode not in PADDING_MODES:
        raise ArgumentError(f"{op}: padding_mode must be one of {', '.join(PADDING_MODES)}, got {mode!r}")
    return mode


def _draw_windows(n: int, image, size, padding, generator: np.random.Generator) -> np.ndarray:
    """Return n windows of `size`, each place in the padded image as likely as the others."""
    windows = np.ones((n, 4), np.int64)
    for axis in (0, 1):
        room = image[axis] + 2 * padding[axis] - size[axis] + 1
        windows[:, 2 * axis] = generator.integers(room, size=n) - padding[axis]
    return windows


class RandomCrop(Window):
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
        self.size, self.padding = pair("RandomCrop", "size", size, 1), pair("RandomCrop", "padding", padding, 0)
        self.fill, self.padding_mode = fill, _check_padding("RandomCrop", padding_mode)

    def output_size(self, h, w):
        (oh, ow), (ph, pw) = self.size, self.padding
        if oh > h + 2 * ph or ow > w + 2 * pw:
            raise ShapeError(
                f"RandomCrop: size {self.size} is larger than the padded image {(h + 2 * ph, w + 2 * pw)} (image: {h} x {w})"
            )
        return oh, ow

    def windows(self, n, h, w, generator):
        return _draw_windows(n, (h, w), self.output_size(h, w), self.padding, generator)


class RandomShift(Window):
    """Move each image by up to `shift` pixels in each direction; `fill` and `padding_mode` as in RandomCrop."""

    def __init__(self, shift, fill: float | Sequence[float] = 0.0, padding_mode: str = "constant"):
        self.shift, self.fill = pair("RandomShift", "shift", shift, 0), fill
        self.padding_mode = _check_padding("RandomShift", padding_mode)

    def windows(self, n, h, w, generator):
        return _draw_windows(n, (h, w), (h, w), self.shift, generator)


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
