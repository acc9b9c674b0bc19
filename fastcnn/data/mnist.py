"""data.mnist: MNIST [LeCun1998], 60,000 + 10,000 handwritten digits, 28 x 28 grey pixels, 10 classes."""

from __future__ import annotations

from pathlib import Path

from .array_dataset import ArrayDataset
from .download import Origin, cache_folder
from .mnist_files import read_mnist_files
from .transforms import Normalize

# A mirror: the authors' page no longer serves the files. The checksums are those of the authors' files.
URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
# Mean and standard deviation of the training pixels, in [0, 1].
MEAN, STD = 0.1307, 0.3081


def mnist(train: bool = True, *, root=None, download: bool = True, normalize: bool = True) -> ArrayDataset:
    """Return MNIST: 60,000 training images, or the 10,000 of the test set.

    Parameters
    ----------
    train : bool
        True for the training set, False for the test set.
    root : path, optional
        Folder with the four IDX files (plain or .gz). Without it: the user's cache.
    download : bool
        Fetch missing files (extra `data`) into `root` or the cache; each is checked against its MD5.
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
    origin = Origin("mnist", URL, MD5, f"put the four files of {URL} into one folder and pass it as root")
    places = [Path(root) if root is not None else cache_folder() / "mnist"]
    images, labels = read_mnist_files(origin, train, places, download)
    return ArrayDataset(
        images, labels, normalize=Normalize(MEAN, STD) if normalize else None, classes=[str(d) for d in range(10)]
    )
