"""data.array_dataset: images and labels held in arrays; a batch is one array index."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ArgumentError, DtypeError, ShapeError
from .transforms import Normalize


class ArrayDataset:
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
    """

    def __init__(self, images, labels, *, normalize: Normalize | None = None, classes: Sequence[str] | None = None):
        images, labels = np.asarray(images), np.asarray(labels)
        if images.ndim == 3:
            images = images[:, None]
        if images.ndim != 4:
            raise ShapeError(f"ArrayDataset: images must have 3 or 4 axes, got images.shape={images.shape}")
        if images.dtype not in (np.dtype("f4"), np.dtype("f8"), np.dtype("u1")):
            raise DtypeError(f"ArrayDataset: images must be float32, float64 or uint8, got {images.dtype}")
        if labels.dtype.kind not in "iu":
            raise DtypeError(f"ArrayDataset: labels must be ints, got {labels.dtype}")
        if labels.shape != images.shape[:1]:
            raise ShapeError(f"ArrayDataset: one label per image, got images.shape={images.shape}, labels.shape={labels.shape}")
        # (N, C, H, W) -> (N, H, W, C) in memory
        self._nhwc = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).view()
        self._nhwc.flags.writeable = False  # a slice handed out as a batch is a view of this array
        self.labels = labels.astype(np.int64)
        self.labels.flags.writeable = False
        self.normalize = normalize
        self.classes = tuple(classes) if classes is not None else None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def images(self) -> np.ndarray:
        """The images as stored, logical shape (N, C, H, W), read-only."""
        return self._nhwc.transpose(0, 3, 1, 2)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (C, H, W) of one image."""
        return self.images.shape[1:]

    def batch(self, index) -> tuple[np.ndarray, np.ndarray]:
        """Return images (n, C, H, W) and labels (n,) at `index`, a slice or an int array.

        A slice of float images without `normalize` is a read-only view: nothing is copied.
        """
        if isinstance(index, slice):
            x, y = self._nhwc[index], self.labels[index]
        else:
            x, y = self._nhwc.take(index, axis=0), self.labels.take(index)
        x = x.transpose(0, 3, 1, 2)
        if self.normalize is not None:
            x = self.normalize(x)
        elif x.dtype == np.uint8:
            x = np.multiply(x, np.float32(1 / 255), dtype=np.float32)
        return x, y

    def __getitem__(self, index):
        """Return `(x, y)`: of one image (C, H, W) for an int, of a batch for a slice or an int array."""
        if isinstance(index, (int, np.integer)):
            position = range(len(self))[index]
            x, y = self.batch(slice(position, position + 1))
            return x[0], int(y[0])
        return self.batch(index)


class Subset:
    """The part of a dataset at `indices`; shares its arrays."""

    def __init__(self, dataset, indices):
        indices = np.asarray(indices)
        if indices.ndim != 1 or (indices.size and indices.dtype.kind not in "iu"):
            raise DtypeError(f"Subset: indices must be a 1-D array of ints, got {indices.dtype} with shape {indices.shape}")
        if indices.size and (indices.min() < 0 or indices.max() >= len(dataset)):
            raise ArgumentError(
                f"Subset: indices must lie between 0 and {len(dataset) - 1}, got {indices.min()} to {indices.max()}"
            )
        self.dataset = dataset
        self.indices = indices.astype(np.int64)

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def labels(self) -> np.ndarray:
        return self.dataset.labels[self.indices]

    @property
    def classes(self):
        return self.dataset.classes

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.dataset.shape

    @property
    def normalize(self):
        return self.dataset.normalize

    def batch(self, index) -> tuple[np.ndarray, np.ndarray]:
        return self.dataset.batch(self.indices[index])

    def __getitem__(self, index):
        if isinstance(index, (int, np.integer)):
            return self.dataset[int(self.indices[index])]
        return self.batch(index)


def _lengths(total: int, parts: Sequence[float]) -> list[int]:
    if all(isinstance(p, (int, np.integer)) for p in parts):
        lengths = [int(p) for p in parts]
        if min(lengths) < 0 or sum(lengths) != total:
            raise ArgumentError(f"random_split: lengths must be >= 0 and add up to {total}, got {list(parts)}")
        return lengths
    if min(parts) < 0 or abs(sum(parts) - 1) > 1e-6:
        raise ArgumentError(f"random_split: fractions must be >= 0 and add up to 1, got {list(parts)}")
    bounds = np.rint(np.cumsum([0.0, *parts]) * total).astype(int)
    return [int(n) for n in np.diff(bounds)]


def random_split(dataset, parts: Sequence[float], *, seed: int = 0) -> list[Subset]:
    """Split `dataset` at random into disjoint subsets.

    Parameters
    ----------
    parts : sequence
        Lengths (ints that add up to `len(dataset)`) or fractions that add up to 1.
    seed : int
        The split is a function of `seed` and `len(dataset)`.

    Examples
    --------
    >>> from fastcnn import data
    >>> train, val = data.random_split(data.digits(train=True), [0.8, 0.2], seed=0)
    >>> len(train), len(val)
    (1150, 288)
    """
    if not parts:
        raise ArgumentError("random_split: parts must not be empty")
    lengths = _lengths(len(dataset), parts)
    order = np.random.default_rng(seed).permutation(len(dataset))
    return [Subset(dataset, piece) for piece in np.split(order, np.cumsum(lengths)[:-1])]
