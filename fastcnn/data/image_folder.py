"""data.image_folder: a folder of image files, one folder per class, read with Pillow (extra `data`)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import ArgumentError, FileFormatError, MissingExtraError, ShapeError
from ..shapes import pair
from .array_dataset import ArrayDataset
from .dataset import ImageDataset, checked_labels
from .transforms import Normalize

# Formats that Pillow decodes by itself; others, such as PostScript, start a program. Suffixes in lower case.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".pnm", ".tif", ".tiff", ".webp")
BYTES = {"1": 1, "L": 1, "P": 1, "LA": 2, "I;16": 2, "I;16B": 2, "RGB": 3, "YCbCr": 3, "LAB": 3, "HSV": 3}  # others: 4


class ImageFolder(ImageDataset):
    """Image files in one folder per class, decoded batch by batch.

    Parameters
    ----------
    root : path
        Folder whose sorted subfolders are the classes 0, 1, ...; files below them are taken at any depth, sorted.
    size : int or (height, width), optional
        Size of every image. Without it the files must all have one size.
    fit : {"crop", "stretch"}
        "crop" scales until the shorter side fits and cuts the middle out; "stretch" changes the ratio of the sides.
    mode : {"RGB", "L"}
        Three channels, or one grey channel.
    suffixes : sequence of str
        Which files are images, by their endings in lower case.
    normalize : Normalize, optional
        Applied to every batch, in training and evaluation alike.

    Attributes
    ----------
    paths : list of Path
        The file of each image.
    classes : tuple of str
        The names of the folders.

    Raises
    ------
    FileFormatError
        While batches are read: a file is damaged, no image, or claims more pixels than its size allows; the text has its path.
    ShapeError
        When images have different sizes and `size` is not given.
    ArgumentError
        When `root` has no class folders with images.
    MissingExtraError
        When Pillow is not installed.

    Notes
    -----
    Images are kept as uint8: each file is opened, reduced while it is decoded where the format can (JPEG), resized bilinearly
    with all source pixels taken into account, and closed. Decoding releases the GIL: `DataLoader(num_workers=...)` runs it
    beside the training. The rotation noted by a camera is not applied. `in_memory()` decodes everything once.
    """

    def __init__(
        self,
        root: str | os.PathLike,
        size=None,
        *,
        fit: str = "crop",
        mode: str = "RGB",
        suffixes: Sequence[str] = SUFFIXES,
        normalize: Normalize | None = None,
    ):
        if mode not in ("RGB", "L") or fit not in ("crop", "stretch"):
            raise ArgumentError(f"ImageFolder: mode must be 'RGB' or 'L', fit 'crop' or 'stretch', got {mode!r}, {fit!r}")
        _pillow()
        self.size = None if size is None else pair("ImageFolder", "size", size, 1)
        self.fit, self.mode, self.normalize = fit, mode, normalize
        root = Path(root)
        folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
        found = [sorted(p for p in folder.rglob("*") if p.suffix.lower() in suffixes and p.is_file()) for folder in folders]
        if not any(found):
            raise ArgumentError(f"ImageFolder: {root} must hold one folder per class with images ({', '.join(suffixes)}) in it")
        self.classes = tuple(folder.name for folder in folders)
        self.paths = [path for paths in found for path in paths]
        labels = [label for label, paths in enumerate(found) for _ in paths]
        self.labels = checked_labels("ImageFolder", labels, len(self.paths))
        height, width = self.size or self._read(self.paths[0]).shape[:2]
        self.shape = (3 if mode == "RGB" else 1, height, width)

    def stored(self, index) -> tuple[np.ndarray, np.ndarray]:
        channels, height, width = self.shape
        chosen = range(len(self))[index] if isinstance(index, slice) else np.asarray(index).tolist()
        x = np.empty((len(chosen), height, width, channels), np.uint8)
        for row, number in zip(x, chosen, strict=True):
            image = self._read(self.paths[number])
            if image.shape != row.shape:
                raise ShapeError(
                    f"ImageFolder: {self.paths[number]} is {image.shape[:2]}, {self.paths[0]} is {row.shape[:2]} "
                    "(height, width); give a size"
                )
            row[...] = image
        return x.transpose(0, 3, 1, 2), self.labels[index]

    def in_memory(self) -> ArrayDataset:
        """Decode every file once and return the images as an `ArrayDataset` of uint8."""
        x, y = self.stored(slice(None))
        return ArrayDataset(x, y, normalize=self.normalize, classes=self.classes)

    def _read(self, path: Path) -> np.ndarray:
        """Return one image (height, width, channels) of uint8."""
        image_module, image_ops = _pillow()
        bilinear = image_module.Resampling.BILINEAR
        try:
            with image_module.open(path, formats=FORMATS) as image:
                if self.size is not None:
                    # of a JPEG: decode at 1/2, 1/4 or 1/8 where that leaves twice the wanted size for the resize
                    image.draft(None, (2 * self.size[1], 2 * self.size[0]))
                claimed = image.width * image.height * BYTES.get(image.mode, 4)
                if claimed > 4 * os.path.getsize(path) + (64 << 20):
                    raise FileFormatError(f"ImageFolder: {path} claims {image.size} pixels, more than its size allows")
                image = _eight_bits(image, self.mode)
                if self.size is not None and self.fit == "crop":
                    image = image_ops.fit(image, self.size[::-1], bilinear)
                elif self.size is not None:
                    image = image.resize(self.size[::-1], bilinear)
                pixels = np.asarray(image)
        except FileFormatError:
            raise
        except Exception as error:  # decoders raise errors of many kinds for damaged files
            raise FileFormatError(f"ImageFolder: {path} cannot be read ({type(error).__name__}: {error})") from error
        return pixels.reshape(*pixels.shape[:2], -1)


def _eight_bits(image, mode: str):
    """Return the image in `mode`; 16-bit grey keeps its upper eight bits, which Pillow's own conversion would clip."""
    from PIL import Image

    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):  # "I": Pillow before 11
        image = Image.fromarray((np.asarray(image, np.uint16) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise ValueError(f"pixels of mode {image.mode!r} have no fixed range")
    return image if image.mode == mode else image.convert(mode)


def _pillow():
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise MissingExtraError("ImageFolder needs Pillow, from the extra 'data': pip install 'fastcnn[data]'") from None
    return Image, ImageOps
