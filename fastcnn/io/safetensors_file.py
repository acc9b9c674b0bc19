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
_KINDS = "fiub"


def _checked_array(name: str, value) -> np.ndarray:
    array = np.asarray(getattr(value, "data", value) if not isinstance(value, np.ndarray) else value)
    if array.dtype.kind not in _KINDS or array.dtype.itemsize > 8:
        raise DtypeError(f"save: {name!r} must be an array of floats, ints or bools, got {array.dtype}")
    # (a 0-d array stays 0-d; channels-last memory is written in the logical order)
    return np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")


def write_arrays(path: str | os.PathLike, arrays: Mapping[str, object], metadata: Mapping[str, str] | None = None) -> None:
    """Write `arrays` (name to ndarray or Tensor) and `metadata` (str to str) to `path`.

    The save is atomic (see `io.atomic`), so writing over a file that is mapped, by this process or another, is safe.

    Raises
    ------
    DtypeError
        When a value is not an array of floats, ints or bools.
    ArgumentError
        When a name is not a string, or the names and metadata need more than 1 MiB.
    """
    metadata = dict(metadata or {})
    for key in (*arrays, *metadata, *metadata.values()):
        if not isinstance(key, str):
            raise ArgumentError(f"save: names and metadata must be strings, got {key!r}")
    checked = {name: _checked_array(name, value) for name, value in arrays.items()}
    header = sum(len(json.dumps(key)) + 100 for key in checked) + len(json.dumps(metadata))
    if header > MAX_HEADER:
        raise ArgumentError(f"save: names and metadata take about {header} bytes, the limit is {MAX_HEADER}")
    if "__metadata__" in checked:
        raise ArgumentError("save: the name '__metadata__' is reserved by the file format")
    replace_file(path, lambda temporary: _save(checked, temporary, metadata))


def _save(arrays: dict[str, np.ndarray], path: Path, metadata: dict[str, str]) -> None:
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        save_file(arrays, path, metadata=metadata or None)
    except SafetensorError as error:  # arrays and names are checked: what is left is the disk
        raise OSError(f"save: {error}") from error


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
