"""data.idx: reader of IDX files (the format of MNIST and Fashion-MNIST), plain or gzip-compressed."""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path

import numpy as np

from ..errors import FileFormatError

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | os.PathLike) -> np.ndarray:
    """Return the array that an IDX file holds, in native byte order.

    Parameters
    ----------
    path : path
        A plain file, or a gzip file, which is told by its first two bytes.

    Raises
    ------
    FileFormatError
        When the header is not an IDX header, the data is shorter or longer than the header says, or the gzip stream is damaged.

    Notes
    -----
    Memory is at most 4 x the file's size + 64 MiB: a compressed file that claims more is refused before anything is allocated.
    """
    path = Path(path)
    with path.open("rb") as raw:
        size = os.fstat(raw.fileno()).st_size
        compressed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        stream = gzip.GzipFile(fileobj=raw) if compressed else raw
        try:
            return _read(stream, path, limit=4 * size + (60 << 20))  # 4 MiB left for buffers
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise FileFormatError(f"read_idx: {path} is a damaged gzip file ({error})") from None


def _read(stream, path: Path, limit: int) -> np.ndarray:
    head = stream.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES or head[3] > 32:
        raise FileFormatError(f"read_idx: {path} has no IDX header, first bytes {head!r}")
    dtype, ndim = np.dtype(_TYPES[head[2]]), head[3]
    sizes = stream.read(4 * ndim)
    if len(sizes) < 4 * ndim:
        raise FileFormatError(f"read_idx: {path} ends inside its header")
    shape = tuple(int(n) for n in np.frombuffer(sizes, ">u4"))
    expected = dtype.itemsize
    for n in shape:
        expected *= n
    if expected > limit:
        raise FileFormatError(f"read_idx: {path} claims shape {shape}, {expected} bytes, more than its size allows")
    data = np.empty(expected, np.uint8)
    filled = 0
    while filled < expected:
        count = stream.readinto(data[filled:])
        if not count:
            raise FileFormatError(f"read_idx: {path} ends after {filled} of {expected} data bytes (shape {shape})")
        filled += count
    if stream.read(1):
        raise FileFormatError(f"read_idx: {path} has data after the {expected} bytes of shape {shape}")
    array = data.view(dtype)
    if dtype.byteorder == ">":
        array = array.byteswap(inplace=True).view(dtype.newbyteorder("="))
    return array.reshape(shape)
