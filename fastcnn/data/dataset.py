"""data.dataset: what every data set of images offers; a batch is one array index."""

from __future__ import annotations

import numpy as np

from ..errors import DtypeError, ShapeError
from ..kernels.pixels import scale_channels
from .transforms import Normalize

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

    def finish(self, x: np.ndarray) -> np.ndarray:
        """Return stored images as floats: normalised, or uint8 divided by 255."""
        if self.normalize is not None:
            return self.normalize(x)
        return scale_channels(x, 1 / 255, 0) if x.dtype == np.uint8 else x

    @property
    def offers_pixels(self) -> bool:
        """Whether a batch is `finish(stored(index))`, so that transforms of pixels may come in between."""
        return type(self).batch is ImageDataset.batch

    def batch(self, index) -> tuple[np.ndarray, np.ndarray]:
        """Return float images (n, C, H, W) in channels-last memory and labels (n,) at `index`, a slice or an int array."""
        x, y = self.stored(index)
        return self.finish(x), y

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
