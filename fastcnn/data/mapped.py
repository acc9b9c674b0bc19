"""data.mapped: images in .npy or .npz files that stay on disk and may be larger than memory."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np

from ..errors import ArgumentError, DtypeError, FileFormatError, ShapeError
from .dataset import STORED, ImageDataset, checked_labels
from .transforms import Normalize


class MappedDataset(ImageDataset):
    """Images in a file that is mapped, not loaded: a batch reads the images that it holds and nothing else.

    Parameters
    ----------
    images : path of a .npy file, or of a .npz file that `numpy.savez` (not `savez_compressed`) wrote
        float32, float64 or uint8; three axes are (N, H, W).
    labels : path of a .npy file, or array (N,) of ints, optional
        Without it, the labels are in the .npz file.
    layout : {"NCHW", "NHWC"}
        Order of the four axes in the file. "NHWC" is faster with several channels: a batch then needs no reordering.
    names : (str, str)
        Names of images and labels in a .npz file.
    normalize : Normalize, optional
        Applied to every batch, in training and evaluation alike.
    classes : sequence of str, optional

    Raises
    ------
    FileFormatError
        When a file is damaged, compressed, or holds Python objects.
    ShapeError, DtypeError, ArgumentError
        When arrays, labels and options do not fit together.

    Notes
    -----
    The labels are loaded, 8 bytes each. Pages of the images that were read stay in the system's cache and are given up when
    memory is needed elsewhere; they count as resident memory until then.
    """

    def __init__(
        self,
        images: str | os.PathLike,
        labels=None,
        *,
        layout: str = "NCHW",
        names: tuple[str, str] = ("images", "labels"),
        normalize: Normalize | None = None,
        classes: Sequence[str] | None = None,
    ):
        if layout not in ("NCHW", "NHWC"):
            raise ArgumentError(f"MappedDataset: layout must be 'NCHW' or 'NHWC', got {layout!r}")
        mapped = _open(Path(images), names[0])
        if labels is None:
            labels = _open(Path(images), names[1], archive=True)
        elif isinstance(labels, (str, os.PathLike)):
            labels = _open(Path(labels), names[1])
        if mapped.ndim not in (3, 4):
            raise ShapeError(f"MappedDataset: {images} must have 3 or 4 axes, got {mapped.shape}")
        if mapped.dtype not in STORED:
            raise DtypeError(f"MappedDataset: {images} must be float32, float64 or uint8, got {mapped.dtype}")
        if mapped.ndim == 3:
            mapped = mapped[..., None]
        elif layout == "NCHW":
            mapped = mapped.transpose(0, 2, 3, 1)  # (N, C, H, W) -> (N, H, W, C), in the file's order still
        self._nhwc = mapped
        self._direct = mapped.flags.c_contiguous and mapped.flags.aligned
        self.labels = checked_labels("MappedDataset", labels, len(mapped))
        self.shape = (mapped.shape[3], mapped.shape[1], mapped.shape[2])
        self.normalize = normalize
        self.classes = tuple(classes) if classes is not None else None

    def located(self, index) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        if isinstance(index, slice) or not self._direct or type(self).stored is not MappedDataset.stored:
            return super().located(index)
        return self._nhwc.transpose(0, 3, 1, 2), index, self.labels[index]

    def stored(self, index) -> tuple[np.ndarray, np.ndarray]:
        x = self._nhwc[index]
        # A map may begin at any byte of an archive, and lie in the order of its file.
        return np.require(x, requirements=["C", "A"]).transpose(0, 3, 1, 2), self.labels[index]


def _open(path: Path, name: str, archive: bool = False) -> np.ndarray:
    """Return the array of a .npy file, or member `name` of a .npz file, mapped read-only."""
    with path.open("rb") as file:
        first = file.read(4)
    if first == b"PK\3\4":
        return _map_member(path, name)
    if archive:
        raise ArgumentError(f"MappedDataset: labels are needed, because {path} is not a .npz file that could hold them")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # NumPy's reader of headers raises errors of many kinds
        raise FileFormatError(f"MappedDataset: {path} is not a whole .npy file ({error})") from None
    return array.view(np.ndarray)  # the subclass memmap would only slow each index down


def _map_member(path: Path, name: str) -> np.ndarray:
    """Return one member of an uncompressed .npz file, mapped: its bytes lie in one piece in the archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            if f"{name}.npy" not in archive.namelist():
                held = ", ".join(entry.removesuffix(".npy") for entry in archive.namelist())
                raise FileFormatError(f"MappedDataset: {path} has no array {name!r}, it holds {held}")
            info = archive.getinfo(f"{name}.npy")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise FileFormatError(
                f"MappedDataset: array {name!r} of {path} is compressed or encrypted and cannot be mapped; "
                "write it with numpy.savez, or as a .npy file"
            )
        with path.open("rb") as file:
            file.seek(info.header_offset)
            header = file.read(30)
            if len(header) < 30 or header[:4] != b"PK\3\4":
                raise ValueError("no local header")
            # the lengths of the member's name and extra field, which lie between this header and the data
            file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), os.SEEK_CUR)
            end = min(file.tell() + info.file_size, os.path.getsize(path))
            shape, fortran, dtype = _npy_header(file)
            offset = file.tell()
        if dtype.hasobject or any(n < 0 for n in shape) or offset + prod(shape) * dtype.itemsize > end:
            raise ValueError(f"shape {shape}, {dtype} does not fit into its {info.file_size} bytes")
        array = np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C")
    except FileFormatError:
        raise
    except Exception as error:  # as above, and zipfile's
        raise FileFormatError(f"MappedDataset: array {name!r} of {path} is damaged ({error})") from None
    return array.view(np.ndarray)


def _npy_header(file) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(file)
    raise ValueError(f"version {version} of the format .npy is for structured arrays")
