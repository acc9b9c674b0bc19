"""data.dataset: what every data set of images offers; a batch is one array index."""

from __future__ import annotations

import numpy as np

from ..errors import DtypeError, ShapeError
from ..kernels.pixels import Scale, gather_pixels
from .transforms import Normalize, normal_scale

STORED = (np.dtype("u1"), np.dtype("f4"), np.dtype("f8"))


class ImageDataset:
    """Base class: images with one integer label each. A subclass defines `stored`, `shape` and `labels`.

    Attributes
    ----------
    labels : ndarray (N,) of int64
    shape : (C, H, W)
        Shape of one image.
    normalize : Normalize or None
        Applied to every batch.
    classes : tuple of str or None
        Names of the classes, `classes[label]`.
    """

    labels: np.ndarray
    shape: tuple[int, int, int]
    normalize: Normalize | None = None
    classes: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def stored(self, index) -> tuple[np.ndarray, np.ndarray]:
        """Return images (n, C, H, W) as they are stored (uint8 or floats) and labels (n,) at `index`, a slice or an int array."""
        raise NotImplementedError

    def located(self, index) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """Return images as they are stored, which of them are those at `index` (None: all, in this order), and labels at `index`.

        A set that holds its images in one array gives all of it: whoever makes a batch then reads each image once.
        """
        x, y = self.stored(index)
        return x, None, y

    def scale(self, dtype: np.dtype) -> Scale | None:
        """Return what `finish` does to images stored as `dtype`; None: nothing. Only asked for when `scales`."""
        return normal_scale(self.normalize, self.shape[0], dtype)

    @property
    def scales(self) -> bool:
        """Whether `finish` is a scale and a shift of each channel and nothing else."""
        return type(self).finish is ImageDataset.finish and (self.normalize is None or type(self.normalize) is Normalize)

    def finish(self, x: np.ndarray) -> np.ndarray:
        """Return stored images as floats: normalised, or uint8 divided by 255."""
        if self.normalize is not None:
            return self.normalize(x)
        return gather_pixels(x, scale=normal_scale(None, x.shape[1], x.dtype)) if x.dtype == np.uint8 else x

    def moved(self, index, windows=(), sizes=(), fill=0, finish: bool = True, threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Return images and labels at `index`, moved by windows (see `kernels.pixels`), as floats with `finish`; in one pass."""
        x, which, y = self.located(index)
        if x.shape[1:] != self.shape:
            raise ShapeError(f"{type(self).__name__}: images of shape {self.shape} are declared, stored ones are {x.shape[1:]}")
        scale = self.scale(x.dtype) if finish and self.scales else None
        if which is not None or len(sizes) or scale is not None:
            x = gather_pixels(x, which, windows, sizes, fill, scale, threads=threads)
        return (x if self.scales or not finish else self.finish(x)), y

    @property
    def offers_pixels(self) -> bool:
        """Whether a batch is `finish(stored(index))`, so that transforms of pixels may come in between."""
        return type(self).batch is ImageDataset.batch

    def batch(self, index) -> tuple[np.ndarray, np.ndarray]:
        """Return float images (n, C, H, W) in channels-last memory and labels (n,) at `index`, a slice or an int array."""
        return self.moved(index)

    def __getitem__(self, index):
        """Return `(x, y)`: of one image (C, H, W) for an int, of a batch for a slice or an int array."""
        if isinstance(index, (int, np.integer)):
            position = range(len(self))[index]
            x, y = self.batch(slice(position, position + 1))
            return x[0], int(y[0])
        return self.batch(index)


def checked_labels(op: str, labels, count: int) -> np.ndarray:
    """Return `labels` as a read-only int64 array of length `count`, or raise."""
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise DtypeError(f"{op}: labels must be ints, got {labels.dtype}")
    if labels.shape != (count,):
        raise ShapeError(f"{op}: one label per image, got {count} images, labels.shape={labels.shape}")
    labels = labels.astype(np.int64)
    labels.flags.writeable = False
    return labels
