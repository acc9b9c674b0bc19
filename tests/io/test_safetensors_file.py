"""tests.io.test_safetensors_file: round trips, and files that lie."""

import json
import os
import pickle
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest

from fastcnn.errors import ArgumentError, DtypeError, FileFormatError
from fastcnn.io.safetensors_file import MAX_HEADER, read_arrays, write_arrays

DTYPES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_round_trip(tmp_path, dtype):
    rng = np.random.default_rng(0)
    arrays = {
        f"x.{i}": rng.integers(0, 2, shape).astype(dtype) for i, shape in enumerate([(), (0,), (7,), (2, 3, 4, 5), (3, 0, 2)])
    }
    write_arrays(tmp_path / "f", arrays, {"note": "ä", "empty": ""})
    read, metadata = read_arrays(tmp_path / "f")
    assert metadata == {"note": "ä", "empty": ""} and set(read) == set(arrays)
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype and read[name].flags.writeable
        np.testing.assert_array_equal(read[name], array)


def test_memory_order_does_not_matter(tmp_path):
    nhwc = np.random.default_rng(0).random((4, 3, 3, 2))
    arrays = {
        "channels last": nhwc.transpose(0, 3, 1, 2),
        "reversed": nhwc[::-1, ::2],
        "fortran": np.asfortranarray(nhwc),
        "big endian": nhwc.astype(">f8"),
    }
    write_arrays(tmp_path / "f", arrays)
    read, metadata = read_arrays(tmp_path / "f")
    assert metadata == {}
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array, err_msg=name)


@pytest.mark.parametrize(
    ("arrays", "metadata", "error"),
    [
        ({"a": np.array([None])}, {}, DtypeError),
        ({"a": np.zeros(2, complex)}, {}, DtypeError),
        ({"a": "text"}, {}, DtypeError),
        ({1: np.zeros(2)}, {}, ArgumentError),
        ({"a": np.zeros(2)}, {"k": 1}, ArgumentError),
        ({"__metadata__": np.zeros(2)}, {}, ArgumentError),
        ({"a": np.zeros(2)}, {"k": "x" * (MAX_HEADER + 1)}, ArgumentError),
    ],
)
def test_what_cannot_be_saved(tmp_path, arrays, metadata, error):
    with pytest.raises(error, match="save: "):
        write_arrays(tmp_path / "f", arrays, metadata)
    assert os.listdir(tmp_path) == []


def packed(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


HOSTILE = {
    "empty": b"",
    "short": b"\x08\0\0",
    "header of 2**63": (2**63).to_bytes(8, "little") + b"{}",
    "header longer than the file": (100).to_bytes(8, "little") + b"{}",
    "header above the limit": packed(b" " * (MAX_HEADER + 1)),
    "pickle": pickle.dumps({"a": 1}),
    "zip": b"PK\x03\x04" + bytes(60),
    "not JSON": packed(b"{nope"),
    "not UTF-8": packed(b'{"\xff\xfe": 1}'),
    "a list": packed([1, 2]),
    "a number": packed(b"1"),
    "deep nesting": packed(b"[" * 100_000),
    "deep metadata": packed(b'{"__metadata__":' + b'{"a":' * 50_000),
    "metadata of numbers": packed({"__metadata__": {"a": 1}}),
    "metadata a list": packed({"__metadata__": ["a"]}),
    "no dtype": packed({"a": {"shape": [1], "data_offsets": [0, 4]}}, bytes(4)),
    "unknown dtype": packed({"a": entry("F99")}, bytes(4)),
    "dtype NumPy lacks": packed({"a": entry("BF16", (2,))}, bytes(4)),
    "negative size": packed({"a": entry(shape=(-1,))}, bytes(4)),
    "fractional size": packed({"a": entry(shape=(1.5,))}, bytes(4)),
    "size does not fit offsets": packed({"a": entry(shape=(2,))}, bytes(4)),
    "size overflows": packed({"a": entry(shape=(2**33, 2**33))}, bytes(4)),
    "size 0 times overflow": packed({"a": entry(shape=(0, 2**63, 2**63), offsets=(0, 0))}),
    "too many axes": packed({"a": entry(shape=(1,) * 100)}, bytes(4)),
    "offset past the end": packed({"a": entry(offsets=(4, 8))}, bytes(4)),
    "offsets reversed": packed({"a": entry(offsets=(4, 0))}, bytes(4)),
    "offset 2**64": packed({"a": entry(offsets=(0, 2**64))}, bytes(4)),
    "overlap": packed({"a": entry(), "b": entry()}, bytes(4)),
    "hole": packed({"a": entry(), "b": entry(offsets=(8, 12))}, bytes(12)),
    "data cut off": packed({"a": entry()}, bytes(3)),
    "data too long": packed({"a": entry()}, bytes(5)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(tmp_path, name):
    (tmp_path / "f").write_bytes(HOSTILE[name])
    with pytest.raises(FileFormatError, match=r"load: .*/f "):
        read_arrays(tmp_path / "f")


def test_mutated_files_never_do_worse_than_a_clear_error(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "f"
    write_arrays(path, {"conv.weight": np.ones((2, 3)), "b": np.arange(3, dtype="i2")}, {"k": "v"})
    seeds = [path.read_bytes(), *HOSTILE.values()]
    seeds = [seed for seed in seeds if 8 < len(seed) < 1000]
    header = seeds[0].index(b"}}") + 2
    for i in range(1500):
        content = bytearray(seeds[0] if i % 2 else seeds[i // 2 % len(seeds)])
        for _ in range(rng.integers(1, 4)):
            content[rng.integers(min(len(content), header))] = rng.choice(list(b'0123456789,:{}[]"-eFI\\ \x00\xff'))
        content = content[: rng.integers(len(content) + 1)] if i % 7 == 0 else content
        path.write_bytes(content)
        with suppress(FileFormatError):
            read_arrays(path)


# VmHWM, not ru_maxrss: the latter begins with the size of the process that forked
MEASURE = """
import re, sys
import numpy, safetensors.numpy
from fastcnn.errors import FileFormatError
from fastcnn.io.safetensors_file import read_arrays
def kilobytes(name):
    return int(re.search(name + r":\\s+(\\d+) kB", open("/proc/self/status").read())[1])
before = kilobytes("VmRSS")
try:
    read_arrays(sys.argv[1])
except FileFormatError:
    pass
print((kilobytes("VmHWM") - before) * 1024)
"""


@pytest.mark.parametrize("kind", ["many tensors", "many notes", "one large array"])
def test_memory_is_bounded_by_the_file_size(tmp_path, kind):
    path = tmp_path / "f"
    if kind == "many tensors":
        path.write_bytes(
            packed(
                (
                    "{" + ",".join(f'"{i:x}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' for i in range(18_900)) + "}"
                ).encode()
            )
        )
    elif kind == "many notes":
        path.write_bytes(packed(('{"__metadata__":{' + ",".join(f'"{i:x}":""' for i in range(105_000)) + "}}").encode()))
    else:
        write_arrays(path, {"a": np.ones(6_000_000)})
    assert path.stat().st_size > 0.9 * MAX_HEADER
    done = subprocess.run([sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= 4 * path.stat().st_size + (64 << 20)
