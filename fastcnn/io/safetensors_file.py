"""io.safetensors_file: named arrays and a text dictionary in one safetensors file, written atomically, read without trust."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import ArgumentError, DtypeError, FileFormatError
from .atomic import replace_file

# The shortest entry of a tensor is 55 bytes and becomes 1.8 kB of objects: 1 MiB of header takes 35 MiB to read.
MAX_HEADER = 1 << 20
# NumPy's kind and size -> the format's name. Kinds and sizes that are not here cannot be saved.
DTYPES = {
    **{f"f{size}": f"F{8 * size}" for size in (2, 4, 8)},
    **{f"{kind}{size}": f"{kind.upper()}{8 * size}" for kind in "iu" for size in (1, 2, 4, 8)},
    "b1": "BOOL",
}


def checked_array(name: str, value) -> np.ndarray:
    """Return the array of `value`; DtypeError when the format cannot hold its dtype."""
    array = value if isinstance(value, np.ndarray) else np.asarray(getattr(value, "data", value))
    if array.dtype.str[1:] not in DTYPES:
        raise DtypeError(f"save: {name!r} must be an array of floats, ints or bools, got {array.dtype}")
    return array


def write_arrays(path: str | os.PathLike, arrays: Mapping[str, object], metadata: Mapping[str, str] | None = None) -> None:
    """Write `arrays` (name to ndarray or Tensor) and `metadata` (str to str) to `path`.

    The save is atomic (see `io.atomic`), so writing over a file that is mapped, by this process or another, is safe. The same
    arrays and metadata give the same bytes. Memory: one array in C order at a time.

    Raises
    ------
    DtypeError
        When a value is not an array of floats, ints or bools.
    ArgumentError
        When a name is not a string, or the names and metadata need more than 1 MiB.
    OSError
        When the file cannot be written; the old file is then intact.
    """
    metadata = dict(metadata or {})
    for key in (*arrays, *metadata, *metadata.values()):
        if not isinstance(key, str):
            raise ArgumentError(f"save: names and metadata must be strings, got {key!r}")
    if "__metadata__" in arrays:
        raise ArgumentError("save: the name '__metadata__' is reserved by the file format")
    checked = {name: checked_array(name, value) for name, value in arrays.items()}
    order = sorted(checked, key=lambda name: (-checked[name].dtype.itemsize, name))  # so that every array is aligned
    header = _header([(name, checked[name]) for name in order], metadata)

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as file:
            file.write(header)
            for name in order:
                file.write(stored_bytes(checked[name]))

    replace_file(path, write)


def stored_bytes(array: np.ndarray) -> memoryview:
    """Return the bytes of an array as the file holds them: little-endian, in C order, shared with it where possible."""
    return np.asarray(array, array.dtype.newbyteorder("<"), order="C").reshape(-1).view("u1").data


def _header(arrays: list[tuple[str, np.ndarray]], metadata: dict[str, str]) -> bytes:
    """Return the head of the file: the length of the JSON in 8 bytes, the JSON, spaces up to a multiple of 8."""
    entries: dict = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name, array in arrays:
        start, end = end, end + array.nbytes
        entries[name] = {"dtype": DTYPES[array.dtype.str[1:]], "shape": array.shape, "data_offsets": (start, end)}
    try:
        text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ArgumentError(f"save: names and metadata must be text that UTF-8 can hold ({error})") from None
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        raise ArgumentError(f"save: names and metadata take {len(text)} bytes, the limit is {MAX_HEADER}")
    return len(text).to_bytes(8, "little") + text


def read_arrays(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the arrays and the metadata of a safetensors file.

    Raises
    ------
    FileFormatError
        When the file is not a complete, well-formed safetensors file, or holds a dtype that NumPy lacks (BF16, F8).

    Notes
    -----
    Memory is at most 4 x the file's size + 64 MiB. No code is run and no other path is touched, whatever the file holds.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path = Path(path)
    content = path.read_bytes()
    header_size = int.from_bytes(content[:8], "little")
    if len(content) < 8 or header_size > len(content) - 8:
        raise FileFormatError(f"load: {path} is not a safetensors file, or is cut off ({len(content)} bytes)")
    if header_size > MAX_HEADER:
        raise FileFormatError(f"load: {path} has a header of {header_size} bytes, the limit is {MAX_HEADER}")
    try:
        arrays = load(content)
        header = json.loads(content[8 : 8 + header_size])
    except KeyError as error:
        raise FileFormatError(f"load: {path} holds arrays of dtype {error.args[0]}, which NumPy lacks") from None
    except (SafetensorError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise FileFormatError(f"load: {path} is damaged ({error})") from None
    for name, array in arrays.items():
        if not array.flags.writeable:
            arrays[name] = array.copy()
    return arrays, header.get("__metadata__") or {}
