"""data.cifar: CIFAR-10 and CIFAR-100 [Krizhevsky2009], 50,000 + 10,000 colour images, 32 x 32, from the binary files."""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import FileFormatError
from .array_dataset import ArrayDataset
from .download import Origin, cache_folder, download, find, missing
from .transforms import Normalize

URL = "https://www.cs.toronto.edu/~kriz/"
# Published by the author, https://www.cs.toronto.edu/~kriz/cifar.html
MD5 = {
    "cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530",
    "cifar-100-binary.tar.gz": "03b5dce01913d631647c71ecec9e9cb8",
}
PIXELS = 3 * 32 * 32


class Form(NamedTuple):
    """How one of the two sets is stored: the files of each part, and per image a few label bytes before the pixels."""

    op: str
    archive: str
    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    labels: int  # bytes before the pixels
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


# Mean and standard deviation of the training pixels of each channel, in [0, 1], as usually quoted.
TEN = Form(
    "cifar10",
    "cifar-10-binary.tar.gz",
    "cifar-10-batches-bin",
    tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
    ("test_batch.bin",),
    1,
    (0.4914, 0.4822, 0.4465),
    (0.2470, 0.2435, 0.2616),
)
HUNDRED = Form(
    "cifar100",
    "cifar-100-binary.tar.gz",
    "cifar-100-binary",
    ("train.bin",),
    ("test.bin",),
    2,
    (0.5071, 0.4865, 0.4409),
    (0.2673, 0.2564, 0.2762),
)
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def cifar10(train: bool = True, *, root=None, download: bool = True, normalize: bool = True) -> ArrayDataset:
    """Return CIFAR-10: 50,000 training images, or the 10,000 of the test set.

    Parameters
    ----------
    train : bool
        True for the training set, False for the test set.
    root : path, optional
        Folder with the files of the binary version, `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`, or with
        the folder `cifar-10-batches-bin`, or with the archive `cifar-10-binary.tar.gz`. Without it: the user's cache.
    download : bool
        Fetch the missing archive (extra `data`) into `root` or the cache, and check its MD5.
    normalize : bool
        Shift and scale each channel to mean 0 and standard deviation 1; otherwise pixels lie in [0, 1].

    Returns
    -------
    ArrayDataset
        Images (N, 3, 32, 32), kept as uint8 and given out as float32, labels 0 to 9.

    Raises
    ------
    FileFormatError
        When a file is damaged or holds something else.
    StateError, MissingExtraError
        When files are missing and cannot be downloaded; the text says where they were looked for.

    Notes
    -----
    The archive is read where it is; nothing is unpacked to disk. Only the binary version is read: the Python version is a
    pickle, which runs code.
    """
    images, labels = _read(TEN, train, root, download)
    _check_labels(TEN, labels[:, 0], 10)
    return _dataset(TEN, images, labels[:, 0], normalize, CLASSES)


def cifar100(
    train: bool = True, *, root=None, download: bool = True, normalize: bool = True, coarse: bool = False
) -> ArrayDataset:
    """Return CIFAR-100: 50,000 training images, or the 10,000 of the test set.

    Parameters
    ----------
    train, root, download, normalize
        As in `cifar10`; the files are `train.bin` and `test.bin`, the folder `cifar-100-binary`, the archive
        `cifar-100-binary.tar.gz`.
    coarse : bool
        Labels are the 20 superclasses instead of the 100 classes.

    Returns
    -------
    ArrayDataset
        Images (N, 3, 32, 32), kept as uint8 and given out as float32, labels 0 to 99 (coarse: 0 to 19).

    Raises
    ------
    FileFormatError, StateError, MissingExtraError
        As in `cifar10`.
    """
    images, labels = _read(HUNDRED, train, root, download)
    for column, count in ((0, 20), (1, 100)):
        _check_labels(HUNDRED, labels[:, column], count)
    return _dataset(HUNDRED, images, labels[:, 0 if coarse else 1], normalize, None)


def _check_labels(form: Form, labels: np.ndarray, count: int) -> None:
    if labels.size and labels.max() >= count:
        raise FileFormatError(f"{form.op}: the files hold the label {labels.max()}, above {count - 1}")


def _dataset(form: Form, images, labels, normalize: bool, classes) -> ArrayDataset:
    return ArrayDataset(images, labels, normalize=Normalize(form.mean, form.std) if normalize else None, classes=classes)


def _read(form: Form, train: bool, root, allowed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return images (N, 3, 32, 32) in channels-last memory and label bytes (N, form.labels), both uint8."""
    names = form.train if train else form.test
    place = Path(root) if root is not None else cache_folder() / form.folder
    for folder in (place, place / form.folder):
        if all((folder / name).is_file() for name in names):
            return _records(form, {name: (folder / name).read_bytes() for name in names}, folder)
    archive = find([form.archive], [place])
    if archive is None:
        files = f"{', '.join(names)} into the folder {place}, or the archive {form.archive} from {URL}"
        origin = Origin(form.op, URL, MD5, f"put {files}")
        if not allowed:
            raise missing(origin, form.archive, [place, place / form.folder])
        archive = download(origin, form.archive, [place])
    return _records(form, _members(form, archive, names), archive)


def _members(form: Form, archive: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    """Return the content of those members of the archive whose file name, without folder, is one of `names`."""
    limit = 4 * os.path.getsize(archive) + (60 << 20)  # of an archive that claims to hold more than it can
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                name = member.name.rpartition("/")[2]
                if name not in names or not member.isfile() or name in contents:
                    continue
                limit -= member.size
                stream = tar.extractfile(member)
                if limit < 0 or stream is None:
                    raise FileFormatError(
                        f"{form.op}: {archive} claims {member.size} bytes for {name}, more than its size allows"
                    )
                contents[name] = stream.read()
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileFormatError(f"{form.op}: {archive} is a damaged archive ({error})") from None
    absent = [name for name in names if name not in contents]
    if absent:
        raise FileFormatError(f"{form.op}: {archive} does not hold {', '.join(absent)}")
    return {name: contents[name] for name in names}  # the archive may hold them in another order


def _records(form: Form, contents: dict[str, bytes], where: Path) -> tuple[np.ndarray, np.ndarray]:
    size = form.labels + PIXELS
    for name, content in contents.items():
        if not content or len(content) % size:
            raise FileFormatError(
                f"{form.op}: {name} in {where} has {len(content)} bytes, not a multiple of {size} (labels and 3 x 32 x 32 pixels)"
            )
    count = sum(map(len, contents.values())) // size
    images, labels = np.empty((count, 32, 32, 3), np.uint8), np.empty((count, form.labels), np.uint8)
    start = 0
    for name in list(contents):
        records = np.frombuffer(contents.pop(name), np.uint8).reshape(-1, size)  # pop: each file is freed when it is copied
        part = slice(start, start + len(records))
        labels[part] = records[:, : form.labels]
        planes = records[:, form.labels :].reshape(-1, 3, 32, 32)
        images[part] = planes.transpose(0, 2, 3, 1)  # (n, C, H, W) -> (n, H, W, C)
        start = part.stop
    return images.transpose(0, 3, 1, 2), labels
