"""data.digits: 1,797 handwritten digits, bundled with the package (source and licence in NOTICE)."""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from ..shapes import pair
from .array_dataset import ArrayDataset
from .resize import resize_bilinear
from .transforms import Normalize

# Mean and standard deviation of the training pixels at size 28, in [0, 1].
MEAN, STD = 0.3058, 0.3251


def digits(train: bool = True, *, size: int = 28, normalize: bool = True) -> ArrayDataset:
    """Return the bundled digits: 1,438 images to train on, or the 359 that are held out.

    The held-out fifth is fixed in the file, the same share of each digit. The 8 x 8 images are resized bilinearly.

    Parameters
    ----------
    train : bool
        True for the training part, False for the held-out fifth.
    size : int
        Height and width of the images.
    normalize : bool
        Shift and scale pixels to mean 0 and standard deviation 1; otherwise they lie in [0, 1].

    Returns
    -------
    ArrayDataset
        float32 images (N, 1, size, size), labels 0 to 9.

    Notes
    -----
    The images come from 13 writers whose identity the source does not give, so a writer may be in both parts.

    Examples
    --------
    >>> from fastcnn import data
    >>> x, y = data.digits(train=False).batch(slice(0, 4))
    >>> x.shape, y.shape
    ((4, 1, 28, 28), (4,))
    """
    height, _ = pair("digits", "size", size, 1)
    with files(__package__).joinpath("digits.npz").open("rb") as file, np.load(file, allow_pickle=False) as stored:
        part = stored["held_out"] != bool(train)
        images, labels = stored["images"][part], stored["labels"][part]
    images = resize_bilinear(images, height, height) / np.float32(16)  # stored pixels are 0 to 16
    return ArrayDataset(
        images, labels, normalize=Normalize(MEAN, STD) if normalize else None, classes=[str(d) for d in range(10)]
    )
