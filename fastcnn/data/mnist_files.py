"""data.mnist_files: the four IDX files of 28 x 28 grey images that MNIST and Fashion-MNIST consist of."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import FileFormatError
from .download import Origin, download, find, missing
from .idx import read_idx


def read_mnist_files(origin: Origin, train: bool, places: list[Path], allowed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return images (N, 28, 28) and labels (N,), both uint8, from the first of `places` that has the files.

    Missing files are downloaded into the last place when that is allowed.
    """
    kind = "train" if train else "t10k"
    paths = [_path(origin, f"{kind}-{what}-ubyte.gz", places, allowed) for what in ("images-idx3", "labels-idx1")]
    images, labels = (read_idx(path) for path in paths)
    if images.ndim != 3 or images.shape[1:] != (28, 28) or images.dtype != np.uint8:
        raise FileFormatError(f"{origin.op}: {paths[0]} must hold uint8 images (N, 28, 28), got {images.dtype} {images.shape}")
    if labels.shape != images.shape[:1] or labels.dtype != np.uint8:
        raise FileFormatError(f"{origin.op}: {paths[1]} must hold {len(images)} uint8 labels, got {labels.dtype} {labels.shape}")
    if labels.size and labels.max() > 9:
        raise FileFormatError(f"{origin.op}: {paths[1]} holds the label {labels.max()}, above 9")
    return images, labels


def _path(origin: Origin, name: str, places: list[Path], allowed: bool) -> Path:
    found = find([name, name.removesuffix(".gz")], places)
    if found is None and not allowed:
        raise missing(origin, name, places)
    return found or download(origin, name, places)
