"""tests.data.test_idx: the IDX reader on good, damaged and hostile files."""

import gzip
import struct
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest

from fastcnn.data import read_idx
from fastcnn.errors import FastcnnError, FileFormatError

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array, code=None):
    code = CODES[array.dtype.str[1:]] if code is None else code
    return (
        struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


def write(tmp_path, content):
    path = tmp_path / "file.idx"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_round_trip(tmp_path, dtype, pack):
    for shape in ((), (0,), (5,), (3, 4, 2), (2, 0, 3)):
        array = (np.arange(np.prod(shape, dtype=int)) % 100 - (dtype != "u1") * 50).reshape(shape).astype(dtype)
        read = read_idx(write(tmp_path, pack(idx_bytes(array))))
        assert read.dtype == array.dtype and read.dtype.isnative
        np.testing.assert_array_equal(read, array)


GOOD = idx_bytes(np.arange(12, dtype="u1").reshape(3, 4))
PACKED = gzip.compress(GOOD, mtime=0)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "no IDX header"),
        (GOOD[:3], "no IDX header"),
        (b"\1" + GOOD[1:], "no IDX header"),
        (GOOD[:2] + b"\x0a" + GOOD[3:], "no IDX header"),
        (GOOD[:3] + b"\xff" + GOOD[4:], "no IDX header"),
        (GOOD[:9], "ends inside its header"),
        (GOOD[:-1], "ends after 11 of 12"),
        (GOOD + b"\0", "data after the 12 bytes"),
        (PACKED[:-9], "damaged gzip"),
        (PACKED[:-1] + b"\xff", "damaged gzip"),
        (PACKED[:10] + b"\xff\xff\xff", "damaged gzip"),
        (PACKED + b"junk", "damaged gzip"),
        (struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1), "more than its size allows"),
        (struct.pack(">HBB1I", 0, 14, 1, 2**31), "more than its size allows"),
    ],
)
def test_damaged_files(tmp_path, content, text):
    with pytest.raises(FileFormatError, match=text):
        read_idx(write(tmp_path, content))


def test_a_gzip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    head = struct.pack(">HBB1I", 0, 8, 1, 200 << 20)
    path = write(tmp_path, gzip.compress(head + bytes(200 << 20), 1))
    tracemalloc.start()
    with pytest.raises(FileFormatError, match="more than its size allows"):
        read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_mutated_files_never_do_worse_than_a_clear_error(tmp_path):
    rng = np.random.default_rng(0)
    seeds = [GOOD, PACKED, gzip.compress(idx_bytes(np.ones((2, 3, 4), "f4")))]
    for i in range(600):
        content = bytearray(seeds[i % 3])
        for _ in range(rng.integers(1, 4)):
            content[rng.integers(len(content))] = rng.integers(256)
        content = content[: rng.integers(len(content) + 1)] if i % 4 == 0 else content
        with suppress(FastcnnError):
            read_idx(write(tmp_path, bytes(content)))
