"""data.subset: parts of a data set, several as one, random splits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..errors import ArgumentError, DtypeError, ShapeError
from ..kernels.pixels import Scale
from .dataset import ImageDataset


def _check_dataset(op: str, dataset) -> None:
    if not isinstance(dataset, ImageDataset):
        raise DtypeError(f"{op}: a data set must be an ImageDataset, got {type(dataset).__name__}")


class Subset(ImageDataset):
    """The part of an ImageDataset at `indices`; shares its arrays. An index may occur more than once."""

    def __init__(self, dataset: ImageDataset, indices):
        _check_dataset("Subset", dataset)
        indices = np.asarray(indices)
        if indices.ndim != 1 or (indices.size and indices.dtype.kind not in "iu"):
            raise DtypeError(f"Subset: indices must be a 1-D array of ints, got {indices.dtype} with shape {indices.shape}")
        if indices.size and (indices.min() < 0 or indices.max() >= len(dataset)):
            raise ArgumentError(
                f"Subset: indices must lie between 0 and {len(dataset) - 1}, got {indices.min()} to {indices.max()}"
            )
        self.dataset = dataset
        self.indices = indices.astype(np.int64)
        self.normalize, self.classes, self.shape = dataset.normalize, dataset.classes, dataset.shape

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def labels(self) -> np.ndarray:  # type: ignore[override]
        return self.dataset.labels[self.indices]

    @property
    def offers_pixels(self) -> bool:
        return type(self).batch is Subset.batch and self.dataset.offers_pixels

    def located(self, index) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        if type(self).stored is not Subset.stored:
            return super().located(index)
        return self.dataset.located(self.indices[index])

    def scale(self, dtype: np.dtype) -> Scale | None:
        return self.dataset.scale(dtype)

    @property
    def scales(self) -> bool:
        return type(self).finish is Subset.finish and self.dataset.scales

    def stored(self, index) -> tuple[np.ndarray, np.ndarray]:
        return self.dataset.stored(self.indices[index])

    def batch(self, index) -> tuple[np.ndarray, np.ndarray]:
        return self.dataset.batch(self.indices[index])

    def finish(self, x: np.ndarray) -> np.ndarray:
        return self.dataset.finish(x)


class ConcatDataset(ImageDataset):
    """Several data sets one after the other; they are read where they are.

    Parameters
    ----------
    datasets : iterable of ImageDataset
        Of one image shape, one stored dtype and equal `normalize`; the classes are those of the first.

    Raises
    ------
    ShapeError, DtypeError, ArgumentError
        When they differ, or when there is none.
    """

    def __init__(self, datasets: Iterable):
        self.datasets = list(datasets)
        if not self.datasets:
            raise ArgumentError("ConcatDataset: datasets must not be empty")
        for dataset in self.datasets:
            _check_dataset("ConcatDataset", dataset)
        first = self.datasets[0]
        self.dtype = first.stored(slice(0, 0))[0].dtype
        for number, dataset in enumerate(self.datasets):
            if dataset.shape != first.shape:
                raise ShapeError(f"ConcatDataset: images of set {number} are {dataset.shape}, those of set 0 {first.shape}")
            if (dtype := dataset.stored(slice(0, 0))[0].dtype) != self.dtype:
                raise DtypeError(f"ConcatDataset: images of set {number} are stored as {dtype}, those of set 0 as {self.dtype}")
            if dataset.normalize != first.normalize:
                raise ArgumentError(
                    f"ConcatDataset: set {number} is normalised otherwise than set 0; give both the same Normalize"
                )
        self.cumulative_sizes = np.cumsum([len(dataset) for dataset in self.datasets])
        self.normalize, self.classes, self.shape = first.normalize, first.classes, first.shape

    def __len__(self) -> int:
        return int(self.cumulative_sizes[-1])

    @property
    def labels(self) -> np.ndarray:  # type: ignore[override]
        return np.concatenate([dataset.labels for dataset in self.datasets])

    @property
    def offers_pixels(self) -> bool:
        return type(self).batch is ConcatDataset.batch and all(dataset.offers_pixels for dataset in self.datasets)

    def stored(self, index) -> tuple[np.ndarray, np.ndarray]:
        return self._gathered(index, [dataset.stored for dataset in self.datasets])

    def batch(self, index) -> tuple[np.ndarray, np.ndarray]:
        if not self.offers_pixels:
            return self._gathered(index, [dataset.batch for dataset in self.datasets])
        return super().batch(index)

    def _gathered(self, index, readers) -> tuple[np.ndarray, np.ndarray]:
        index = np.arange(*index.indices(len(self))) if isinstance(index, slice) else np.asarray(index)
        index = np.where(index < 0, index + len(self), index)
        which = np.searchsorted(self.cumulative_sizes, index, side="right")
        channels, height, width = self.shape
        dtype = readers[0](slice(0, 0))[0].dtype
        x, y = np.empty((len(index), height, width, channels), dtype), np.empty(len(index), np.int64)
        for number in np.unique(which):
            mine = which == number
            before = self.cumulative_sizes[number] - len(self.datasets[number])
            images, y[mine] = readers[number](index[mine] - before)
            x[mine] = images.transpose(0, 2, 3, 1)  # (n, C, H, W) -> (n, H, W, C)
        return x.transpose(0, 3, 1, 2), y


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
