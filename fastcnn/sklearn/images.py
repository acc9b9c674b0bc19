"""sklearn.images: rows of a table as images, normalised, with labels or weighted shares, for the loader."""

from __future__ import annotations

from math import isqrt, prod

import numpy as np

from ..errors import ArgumentError, ShapeError


def shape_of(x: np.ndarray, image_shape: tuple | None) -> tuple[int, int, int]:
    """Return (channels, height, width) of the images in `x` (n, features) or (n, channels, height, width).

    Without `image_shape` a row is a square image of one channel if it has a square number of features, or else one line.
    """
    if image_shape is not None:
        shape = tuple(image_shape)
        if len(shape) != 3 or not all(isinstance(size, (int, np.integer)) and size > 0 for size in shape):
            raise ArgumentError(f"CNNClassifier: image_shape must be (channels, height, width), got {image_shape!r}")
    elif x.ndim == 4:
        shape = x.shape[1:]
    else:
        side = isqrt(x.shape[1])
        shape = (1, side, side) if side * side == x.shape[1] else (1, 1, x.shape[1])
    return as_images(x, shape).shape[1:]


def as_images(x: np.ndarray, shape: tuple) -> np.ndarray:
    """Return `x` as float32 (n, *shape); ShapeError when it does not fit."""
    if x.ndim not in (2, 4) or prod(x.shape[1:]) != prod(shape) or (x.ndim == 4 and x.shape[1:] != tuple(shape)):
        raise ShapeError(
            f"CNNClassifier: X must be (n, features) or (n, channels, height, width) for images of shape {tuple(shape)}, "
            f"got X.shape={x.shape}"
        )
    return np.asarray(x, np.float32).reshape(len(x), *shape)


class Images:
    """A dataset for `data.DataLoader`: images, and labels (n,) or shares (n, classes)."""

    def __init__(self, x: np.ndarray, y: np.ndarray):
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, index) -> tuple[np.ndarray, np.ndarray]:
        """Return the images and the labels or shares at `index`."""
        return self.x[index], self.y[index]


def checked_weight(weight, count: int) -> np.ndarray:
    """Return sample weights as float64 (count,); ArgumentError unless they are finite, at least 0, and not all zero."""
    array = np.asarray(weight, np.float64)
    array = np.full(count, array) if array.ndim == 0 else array
    if array.shape != (count,) or not np.isfinite(array).all() or (array < 0).any() or not array.any():
        raise ArgumentError(
            f"CNNClassifier: sample_weight must have {count} finite numbers of at least 0, not all zero; got shape {array.shape}"
        )
    return array


def weighted(y: np.ndarray, weight: np.ndarray, classes: int) -> np.ndarray:
    """Return shares (n, classes): the weight of each sample, relative to their mean, at its label."""
    shares = np.zeros((len(y), classes), np.float32)
    shares[np.arange(len(y)), y] = weight / weight.mean()
    return shares
