"""data.fashion_mnist: Fashion-MNIST [Xiao2017], 60,000 + 10,000 grey images of clothes, 28 x 28, 10 classes."""

from __future__ import annotations

from pathlib import Path

from .array_dataset import ArrayDataset
from .download import Origin, cache_folder
from .mnist_files import read_mnist_files
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
    advice = f"put the four files of {URL} into one folder and pass it as root, or install Debian's package dataset-fashion-mnist"
    places = [Path(root)] if root is not None else [DEBIAN, cache_folder() / "fashion-mnist"]
    images, labels = read_mnist_files(Origin("fashion_mnist", URL, MD5, advice), train, places, download)
    return ArrayDataset(images, labels, normalize=Normalize(MEAN, STD) if normalize else None, classes=CLASSES)
