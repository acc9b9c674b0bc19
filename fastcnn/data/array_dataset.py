"""data.array_dataset: images and labels held in arrays in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import DtypeError, ShapeError
from .dataset import STORED, ImageDataset, checked_labels
from .transforms import Normalize


class ArrayDataset(ImageDataset):
    """Images and integer labels in memory.

    Parameters
    ----------
    images : array (N, C, H, W) or (N, H, W)
        float32, float64 or uint8. uint8 images keep their quarter of the memory and become float32 / 255 batch by batch.
        The array is kept, not copied, when its memory is channels-last already.
    labels : array (N,) of ints
    normalize : Normalize, optional
        Applied to every batch, in training and evaluation alike.
    classes : sequence of str, optional
        Names of the classes, `classes[label]`.

    Raises
    ------
    ShapeError, DtypeError
        When the arrays do not fit together.

    Notes
    -----
    A slice of float images without `normalize` is a read-only view: nothing is copied.
    """

    def __init__(self, images, labels, *, normalize: Normalize | None = None, classes: Sequence[str] | None = None):
        images = np.asarray(images)
        if images.ndim == 3:
            images = images[:, None]
        if images.ndim != 4:
            raise ShapeError(f"ArrayDataset: images must have 3 or 4 axes, got images.shape={images.shape}")
        if images.dtype not in STORED:
            raise DtypeError(f"ArrayDataset: images must be float32, float64 or uint8, got {images.dtype}")
        self.labels = checked_labels("ArrayDataset", labels, len(images))
        # (N, C, H, W) -> (N, H, W, C) in memory
        self._nhwc = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).view()
        self._nhwc.flags.writeable = False  # a slice handed out as a batch is a view of this array
        self.shape = self.images.shape[1:]
        self.normalize = normalize
        self.classes = tuple(classes) if classes is not None else None

    @property
    def images(self) -> np.ndarray:
        """The images as stored, logical shape (N, C, H, W), read-only."""
        return self._nhwc.transpose(0, 3, 1, 2)

    def located(self, index) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        if isinstance(index, slice) or type(self).stored is not ArrayDataset.stored:
            return super().located(index)
        return self.images, index, self.labels.take(index)

    def stored(self, index) -> tuple[np.ndarray, np.ndarray]:
        if isinstance(index, slice):
            x, y = self._nhwc[index], self.labels[index]
        else:
            x, y = self._nhwc.take(index, axis=0), self.labels.take(index)
        return x.transpose(0, 3, 1, 2), y
