"""data.fashion_mnist: Fashion-MNIST [Xiao2017], 60,000 + 10,000 grey images of clothes, 28 x 28, 10 classes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..errors import FileFormatError, MissingExtraError, StateError
from .array_dataset import ArrayDataset
from .idx import read_idx
from .transforms import Normalize

URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
# Published by the authors, https://github.com/zalandoresearch/fashion-mnist#get-the-data
MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}
DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # package dataset-fashion-mnist
CLASSES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
# Mean and standard deviation of the training pixels, in [0, 1].
MEAN, STD = 0.2860, 0.3530


def cache_folder() -> Path:
    """Return the folder that downloads go to: `$FASTCNN_DATA`, else `fastcnn` in the user's cache."""
    named = os.environ.get("FASTCNN_DATA")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastcnn"


def _download(name: str, folder: Path, looked: list[Path]) -> Path:
    places = ", ".join(str(place) for place in looked)
    advice = (
        f"put the four files of {URL} into one folder and pass it as root, or install Debian's package dataset-fashion-mnist "
        f"(looked in {places})"
    )
    try:
        import pooch
    except ImportError:
        raise MissingExtraError(
            f"fashion_mnist: {name} is not on this machine, and downloading needs the extra 'data': "
            f"pip install 'fastcnn[data]'; without a network, {advice}"
        ) from None
    try:
        return Path(pooch.retrieve(URL + name, known_hash=f"md5:{MD5[name]}", fname=name, path=folder))
    except Exception as error:  # pooch passes on whatever requests, the disk or its own check raise
        raise StateError(f"fashion_mnist: {name} could not be downloaded ({error}); {advice}") from error


def _find(name: str, root, download: bool) -> Path:
    places = [Path(root)] if root is not None else [DEBIAN, cache_folder() / "fashion-mnist"]
    for place in places:
        for candidate in (place / name, place / name.removesuffix(".gz")):
            if candidate.is_file():
                return candidate
    if not download:
        raise StateError(f"fashion_mnist: {name} is not in {', '.join(map(str, places))}, and download=False")
    return _download(name, places[-1], places)


def fashion_mnist(train: bool = True, *, root=None, download: bool = True, normalize: bool = True) -> ArrayDataset:
    """Return Fashion-MNIST: 60,000 training images, or the 10,000 of the test set.

    Parameters
    ----------
    train : bool
        True for the training set, False for the test set.
    root : path, optional
        Folder with the four IDX files (plain or .gz). Without it: Debian's package, then the user's cache.
    download : bool
        Fetch missing files (extra `data`) into `root` or the cache; each is checked against its published MD5.
    normalize : bool
        Shift and scale pixels to mean 0 and standard deviation 1; otherwise they lie in [0, 1].

    Returns
    -------
    ArrayDataset
        Images (N, 1, 28, 28), kept as uint8 and given out as float32, labels 0 to 9.

    Raises
    ------
    FileFormatError
        When a file is damaged or holds something else.
    StateError, MissingExtraError
        When files are missing and cannot be downloaded; the text says where they were looked for.
    """
    kind = "train" if train else "t10k"
    paths = [_find(f"{kind}-{what}-ubyte.gz", root, download) for what in ("images-idx3", "labels-idx1")]
    images, labels = (read_idx(path) for path in paths)
    if images.ndim != 3 or images.shape[1:] != (28, 28) or images.dtype != np.uint8:
        raise FileFormatError(f"fashion_mnist: {paths[0]} must hold uint8 images (N, 28, 28), got {images.dtype} {images.shape}")
    if labels.shape != images.shape[:1] or labels.dtype != np.uint8:
        raise FileFormatError(
            f"fashion_mnist: {paths[1]} must hold {len(images)} uint8 labels, got {labels.dtype} {labels.shape}"
        )
    if labels.size and labels.max() > 9:
        raise FileFormatError(f"fashion_mnist: {paths[1]} holds the label {labels.max()}, above 9")
    return ArrayDataset(images, labels, normalize=Normalize(MEAN, STD) if normalize else None, classes=CLASSES)
